#!/usr/bin/env bash
# Two tools for the same job give one unsigned EFI file two Authenticode hashes: the firmware measures that of cvmutils.
#
# If the size of a PE file is not a multiple of 8, signing tools pad it, because the table of certificates has to be
# aligned, and hash it with its padding. edk2 measures a file as it is: without a table the last step hashes up to the end
# of the file (SecurityPkg/Tcg/Tcg2Dxe and OvmfPkg/Tcg/TdTcg2Dxe, MeasureBootPeCoff.c, step 16). cvmutils 0.3.3, which
# predicts PCR 4 of confidential VMs, and LIEF 1.0.0 do as edk2. virt-firmware 26.10, a package for VM firmware, adds the
# zeros: its hash of such a file is that of the signed file, and is in no event log of the unsigned one.
#
# Seen: 1,024 bytes: one hash. 1,029 bytes (five behind the last section): cvmutils and LIEF the hash of the file,
# virt-firmware that of the file and three zeros.
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check virt-firmware==26.10 pefile==2024.8.26 \
    cvmutils==0.3.3 lief==1.0.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import hashlib
import struct

import lief
import pefile
from cvmutils.pe import PEImage
from virt.peutils import pesign

OPTIONAL = 64 + 24  # the optional header stands behind "PE\0\0" and the COFF header
CHECKSUM, CERTIFICATES = OPTIONAL + 64, OPTIONAL + 112 + 4 * 8


def efi_file(behind: bytes) -> bytes:
    """An unsigned PE32+ file for x86-64: 512 bytes of headers, 512 of .text, and what stands behind the last section."""
    headers = bytearray(512)
    headers[:2] = b"MZ"
    struct.pack_into("<I", headers, 0x3C, 64)
    struct.pack_into("<4sHHIIIHH", headers, 64, b"PE\0\0", 0x8664, 1, 0, 0, 0, 112 + 16 * 8, 0x22E)
    struct.pack_into("<HHIIIII", headers, OPTIONAL, 0x20B, 0, 512, 0, 0, 0x1000, 0x1000)
    struct.pack_into("<QII", headers, OPTIONAL + 24, 0, 0x1000, 512)  # image base, alignments
    struct.pack_into("<IIIH", headers, OPTIONAL + 56, 0x2000, 512, 0, 10)  # sizes, checksum, EFI application
    struct.pack_into("<I", headers, OPTIONAL + 108, 16)  # data directories, all empty
    section = OPTIONAL + 112 + 16 * 8
    struct.pack_into("<8sIIII12xI", headers, section, b".text", 512, 0x1000, 512, 512, 0x60000020)
    return bytes(headers) + b"\xc3" * 512 + behind


def hashes(data: bytes) -> dict[str, str]:
    """What each tool says of the file, and the two hashes by hand: without checksum and certificate directory."""
    hashed = data[:CHECKSUM] + data[CHECKSUM + 4 : CERTIFICATES] + data[CERTIFICATES + 8 :]
    return {
        "as it is": hashlib.sha256(hashed).hexdigest(),
        "padded": hashlib.sha256(hashed + bytes(-len(data) % 8)).hexdigest(),
        "cvmutils": PEImage(data=data).get_authenticode_hash().hex(),
        "LIEF": lief.PE.parse(list(data)).authentihash(lief.PE.ALGORITHMS.SHA_256).hex(),
        "virt-firmware": pesign.pe_authenticode_hash(pefile.PE(data=data)).hex(),
    }


aligned, odd = hashes(efi_file(b"")), hashes(efi_file(b"SBAT\n"))
assert len(set(aligned.values())) == 1, "the tools differ for an aligned file too"
for name, digest in odd.items():
    print(f"{name:14}{digest}")
assert odd["as it is"] != odd["padded"]
assert odd["cvmutils"] == odd["LIEF"] == odd["as it is"], "cvmutils or LIEF has changed"
assert odd["virt-firmware"] == odd["padded"], "virt-firmware has changed"
PYTHON
