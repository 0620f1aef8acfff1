#!/usr/bin/env bash
# tinfoil says that every version 2 attestation report is from a Genoa host, with family, model and stepping.
#
# A version 2 report has no CPUID fields: bytes 0x188 to 0x18A are reserved (SEV-SNP ABI, 56860, revisions before 1.56). The
# product is only known from the VCEK, or from what the host says. Milan hosts, which came first, make such reports: those
# in the test data of go-sev-guest and trustee verify under Milan's VCEK. tinfoil 0.15.0 fills the fields with Genoa's
# values, so who reads them gets a processor that the report does not state, and a Milan VCEK is looked for at Genoa's
# address.
#
# Seen: tinfoil 0.15.0: productName "Genoa", family 0x19, model 0x11, stepping 1 for a report without any of them.
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tinfoil==0.15.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from tinfoil.attestation import abi_sev

report = bytearray(1184)
report[0x00], report[0x0A], report[0x34] = 2, 0x03, 1  # version, policy 0x30000, ECDSA P-384 with SHA-384
for at in (0x38, 0x180, 0x1E0, 0x1F0):  # a TCB of Milan: boot loader 3, SNP 8, microcode 115
    report[at : at + 8] = bytes([3, 0, 0, 0, 0, 0, 8, 115])
assert not any(report[0x188:0x18B])

read = abi_sev.Report(bytes(report))
print(read.productName, hex(read.family), hex(read.model), read.stepping)
assert (read.productName, read.family, read.model, read.stepping) == ("Genoa", 0x19, 0x11, 1), "it is different now"
PYTHON
