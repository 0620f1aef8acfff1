"""Attestation reports as go-sev-guest keeps them: the message `Report` in the JSON or text of protobuf.

Numbers may be text, bytes are base64 in JSON; fields that are missing are zero. TCBs are their 64 bits.
Source: google/go-sev-guest proto/sevsnp.proto, and abi/abi.go, ReportToProto.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any

from catalog.abi.report import REPORT_SIZE, AttestationReport
from catalog.abi.report_json import fields_left_out
from catalog.errors import MalformedInput

_NUMBERS = {
    "version": (0x000, 4),
    "guestsvn": (0x004, 4),
    "policy": (0x008, 8),
    "vmpl": (0x030, 4),
    "signaturealgo": (0x034, 4),
    "currenttcb": (0x038, 8),
    "platforminfo": (0x040, 8),
    "signerinfo": (0x048, 4),
    "reportedtcb": (0x180, 8),
    "committedtcb": (0x1E0, 8),
    "currentbuild": (0x1E8, 1),
    "currentminor": (0x1E9, 1),
    "currentmajor": (0x1EA, 1),
    "committedbuild": (0x1EC, 1),
    "committedminor": (0x1ED, 1),
    "committedmajor": (0x1EE, 1),
    "launchtcb": (0x1F0, 8),
    "launchmitvector": (0x1F8, 8),
    "currentmitvector": (0x200, 8),
}
"""Offset and size in bytes of each number, by its name in lower case without _."""

_BYTES = {
    "familyid": (0x010, 16),
    "imageid": (0x020, 16),
    "reportdata": (0x050, 64),
    "measurement": (0x090, 48),
    "hostdata": (0x0C0, 32),
    "idkeydigest": (0x0E0, 48),
    "authorkeydigest": (0x110, 48),
    "reportid": (0x140, 32),
    "reportidma": (0x160, 32),
    "chipid": (0x1A0, 64),
    "signature": (0x2A0, 512),
}

_CPUID = "cpuid1eaxfms"


def is_go_report(fields: Mapping[str, Any]) -> bool:
    """Whether an object has fields of a Report, with bytes as bytes or base64."""
    if not fields.keys() >= {"version", "policy", "measurement", "signature"}:
        return False
    return all(_bytes(fields[name], size) is not None for name, size in (("measurement", 48), ("signature", 512)))


def parse_go_report(fields: Mapping[str, Any]) -> AttestationReport:
    """The report, with a note if there are fields that are unknown and not null.

    Raises MalformedInput for a field of another type or size, and as `AttestationReport.parse`.
    """
    raw, unknown = bytearray(REPORT_SIZE), 0
    for name, value in fields.items():
        known = str(name).lower().replace("_", "")
        if known in _NUMBERS:
            at, size = _NUMBERS[known]
            raw[at : at + size] = _number(value, size)
        elif known in _BYTES:
            at, size = _BYTES[known]
            data = _bytes(value, size)
            if data is None:
                raise MalformedInput(f"a field of this report of go-sev-guest is not {size} bytes in base64")
            raw[at : at + size] = data
        elif known == _CPUID:
            raw[0x188:0x18B] = _family_model_stepping(int.from_bytes(_number(value, 4), "little"))
        else:
            unknown += value is not None
    return AttestationReport.parse(bytes(raw), fields_left_out(unknown))


def _number(value: Any, size: int) -> bytes:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 20:
        value = int(value)
    if type(value) is not int or not 0 <= value < 1 << 8 * size:
        raise MalformedInput(f"a field of this report of go-sev-guest is not an unsigned number of {8 * size} bits")
    return value.to_bytes(size, "little")


def _bytes(value: Any, size: int) -> bytes | None:
    """Bytes of this size; None for anything else."""
    if isinstance(value, str):
        try:
            value = binascii.a2b_base64(value.translate(str.maketrans("-_", "+/")), strict_mode=True)
        except ValueError:
            return None
    return value if isinstance(value, bytes) and len(value) == size else None


def _family_model_stepping(eax: int) -> bytes:
    """Family, model and stepping, extended parts included, of CPUID leaf 1, register EAX."""
    family, model = eax >> 8 & 0xF, eax >> 4 & 0xF
    return bytes(((family + (eax >> 20 & 0xFF)) & 0xFF, model | eax >> 12 & 0xF0, eax & 0xF))
