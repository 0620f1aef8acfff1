#!/usr/bin/env bash
# Two verifiers read the TCB of a Turin report in the layout of Milan: one calls it malformed, one asks for a wrong VCEK.
#
# TCB_VERSION of family 1Ah (Turin) is FMC, boot loader, TEE, SNP in bytes 0 to 3 and microcode in byte 7; earlier
# families have boot loader and TEE in bytes 0 and 1 and SNP in byte 6 (SEV-SNP ABI, 56860, TCB_VERSION). A version 3
# report names the family. tinfoil 0.15.0, which has constants for Turin, refuses every Turin report, because bytes 2 to 5
# "must be zero". secretvm-verify 0.12.0 tries Turin as its last product, with FMC as boot loader and SNP 0: the VCEK that
# it asks AMD for does not exist, so no Turin report is ever verified, and the answer does not say why.
#
# Seen: tinfoil 0.15.0: ValueError "current_tcb not correctly formed"; secretvm-verify 0.12.0: FMC 1, boot loader 2, TEE 3,
# SNP 4, microcode 81 become boot loader 1, TEE 2, SNP 0, microcode 81.
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tinfoil==0.15.0 secretvm-verify==0.12.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from secretvm.verify import amd
from tinfoil.attestation import abi_sev

report = bytearray(1184)
report[0x00], report[0x0A], report[0x34] = 3, 0x03, 1  # version, policy 0x30000, ECDSA P-384 with SHA-384
report[0x188:0x18B] = bytes([0x1A, 0x02, 0x01])  # family, model and stepping of Turin
for at in (0x38, 0x180, 0x1E0, 0x1F0):  # current, reported, committed and launch TCB
    report[at : at + 8] = bytes([1, 2, 3, 4, 0, 0, 0, 81])

found = amd._amd_parse_report(bytes(report))["reported_tcb"]
print("secretvm-verify:", found)
assert found == {"boot_loader": 1, "tee": 2, "snp": 0, "microcode": 81}, "secretvm-verify reads Turin differently now"
try:
    abi_sev.Report(bytes(report))
except ValueError as refused:
    print("tinfoil:", refused)
    assert str(refused).startswith("current_tcb not correctly formed"), "tinfoil refuses it for another reason now"
else:
    raise SystemExit("tinfoil reads the report of a Turin host now")
PYTHON
