#!/usr/bin/env bash
# cvm-attest reads version 5 quotes and TDREPORTs in the layout of a version 4 quote: each measurement is a wrong field.
#
# A version 5 quote has 6 bytes more between header and body: type and size of the body (Intel TDX DCAP quote library,
# quote format). cvm-attest 1.0.0 takes the body from byte 48 all the same, and shows the "version": 5 with an MRTD that
# is six bytes of XFAM before 42 bytes of MRTD. A TDREPORT, what its own path for older kernels collects, has 1,024 bytes;
# its reader of TDREPORTs is asked only below 632 bytes, so such a report becomes a quote of version 129 whose "report_data"
# begins with the end of MRTD (which is at 528, TDX module ABI, TDREPORT_STRUCT). Of a version 4 quote only the vendor ID is
# wrong: it is read at byte 10, not 12. None of this gives an error. dcap-qvl 0.7.0 reads both quotes right.
#
# Seen: cvm-attest 1.0.0, dcap-qvl 0.7.0: the fields named above, with bodies whose fields have a byte value each.
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check cvm-attest==1.0.0 dcap-qvl==0.7.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import struct

import dcap_qvl
from cvm_attest.tdx.quote import parse_td_quote

INTEL = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
SIZES = [16, 48, 48, 8, 8, 8, *[48] * 8, 64]  # TEE_TCB_SVN to REPORTDATA; the sixth is XFAM, the seventh MRTD
BODY = b"".join(bytes([number]) * size for number, size in enumerate(SIZES, start=1))
assert len(BODY) == 584


def quote(version: int, body: bytes) -> bytes:
    """A quote with signatures of zeros and an empty certificate chain."""
    header = struct.pack("<HHIHH16s20s", version, 2, 0x81, 0, 0, INTEL, bytes(20))
    enclave = bytes(384 + 64) + struct.pack("<HHI", 0, 5, 0)
    signature = bytes(64 + 64) + struct.pack("<HI", 6, len(enclave)) + enclave
    return header + body + struct.pack("<I", len(signature)) + signature


quotes = {4: quote(4, BODY), 5: quote(5, struct.pack("<HI", 2, len(BODY)) + BODY)}
for version, data in quotes.items():
    peer = dcap_qvl.Quote.parse(data)
    assert (peer.header.version, peer.header.qe_vendor_id, peer.report.mr_td) == (version, INTEL, b"\x07" * 48)

tdreport = bytearray(1024)
tdreport[0] = 0x81  # type: TDX
tdreport[528:576], tdreport[576:624], tdreport[624:672] = b"\x07" * 48, b"\x08" * 48, b"\x09" * 48

read = {version: parse_td_quote(data) for version, data in quotes.items()}
report = parse_td_quote(bytes(tdreport))
print("version 4: vendor ID", read[4]["header"]["vendor_id"])
print("version 5: MRTD", read[5]["body"]["mrtd"])
print("TDREPORT: version", report["header"].get("version"), "report data", report["body"]["report_data"])

assert read[4]["body"]["mrtd"] == "07" * 48
assert read[4]["header"]["vendor_id"] == "0000" + INTEL[:14].hex(), "the vendor ID is read in another place now"
assert read[5]["header"]["version"] == 5
assert read[5]["body"]["mrtd"] == "06" * 6 + "07" * 42, "version 5 is read differently now"
assert report["header"]["version"] == 0x81, "a TDREPORT is not taken for a quote any more"
assert report["body"]["report_data"] == "07" * 8 + "08" * 48 + "09" * 8
PYTHON
