"""Attestation reports in JSON, as the virtee crates and snpguest serialise them, converted back to their bytes.

Bytes are lists of numbers, or hex. Fields of older and newer crates are accepted; a missing field is zero, because it
is reserved in that version. The bytes are then parsed like any report, and the signature shows whether they are right.
Source: virtee/sev src/firmware/guest/types/snp.rs, AttestationReport.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.abi.report import REPORT_SIZE
from catalog.abi.tcb import TcbVersion
from catalog.errors import MalformedInput

_NUMBERS = {
    "version": (0x000, 4),
    "guest_svn": (0x004, 4),
    "policy": (0x008, 8),
    "vmpl": (0x030, 4),
    "sig_algo": (0x034, 4),
    "plat_info": (0x040, 8),
    "key_info": (0x048, 4),
    "_author_key_en": (0x048, 4),
    "_reserved_0": (0x04C, 4),
    "cpuid_fam_id": (0x188, 1),
    "cpuid_mod_id": (0x189, 1),
    "cpuid_step": (0x18A, 1),
    "current_build": (0x1E8, 1),
    "current_minor": (0x1E9, 1),
    "current_major": (0x1EA, 1),
    "_reserved_2": (0x1EB, 1),
    "committed_build": (0x1EC, 1),
    "committed_minor": (0x1ED, 1),
    "committed_major": (0x1EE, 1),
    "_reserved_3": (0x1EF, 1),
    "launch_mit_vector": (0x1F8, 8),
    "current_mit_vector": (0x200, 8),
}
"""Offset and size in bytes of each number, little-endian."""

_BYTES = {
    "family_id": (0x010, 16),
    "image_id": (0x020, 16),
    "report_data": (0x050, 64),
    "measurement": (0x090, 48),
    "host_data": (0x0C0, 32),
    "id_key_digest": (0x0E0, 48),
    "author_key_digest": (0x110, 48),
    "report_id": (0x140, 32),
    "report_id_ma": (0x160, 32),
    "_reserved_1": (0x188, 24),
    "chip_id": (0x1A0, 64),
    "_reserved_4": (0x1F8, 168),
}

_SIGNATURE = {"r": (0x2A0, 72), "s": (0x2E8, 72), "_reserved": (0x330, 368)}
_TCBS = {"current_tcb": 0x038, "reported_tcb": 0x180, "committed_tcb": 0x1E0, "launch_tcb": 0x1F0}
_VERSIONS = {"current": 0x1E8, "committed": 0x1EC}
_TCB_PARTS = ("bootloader", "tee", "snp", "microcode")

_NEEDED = {"version", "policy", "measurement", "signature"}
"""Fields that every report has."""


def is_report_json(fields: Mapping[str, Any]) -> bool:
    """Whether a JSON object has the fields of a report."""
    return fields.keys() >= _NEEDED


def report_from_json(fields: Mapping[str, Any]) -> bytes:
    """The 1,184 bytes; raises MalformedInput for a field that is unknown, missing, of another type or size."""
    raw = bytearray(REPORT_SIZE)
    if missing := (_NEEDED | _TCBS.keys() | _BYTES.keys()) - fields.keys() - {"_reserved_1", "_reserved_4"}:
        raise MalformedInput(f"the report in JSON has no {min(missing)}")
    for name, value in fields.items():
        if value is None and name not in _NEEDED:  # a field that this version does not have
            continue
        if name in _NUMBERS:
            _put_number(raw, value, *_NUMBERS[name], name)
        elif name in _BYTES:
            _put_bytes(raw, value, *_BYTES[name], name)
        elif name in _TCBS:
            raw[_TCBS[name] : _TCBS[name] + 8] = _tcb(value, name)
        elif name in _VERSIONS:
            for part, at in zip(("build", "minor", "major"), range(_VERSIONS[name], _VERSIONS[name] + 3), strict=True):
                _put_number(raw, _object(value, name, {"build", "minor", "major"})[part], at, 1, f"{name}.{part}")
        elif name == "signature":
            for part, data in _object(value, name, {"r", "s"}, {"_reserved"}).items():
                _put_bytes(raw, data, *_SIGNATURE[part], f"signature.{part}")
        else:
            raise MalformedInput(f"the report in JSON has an unknown field {name!r}")
    return bytes(raw)


def _put_number(raw: bytearray, value: Any, at: int, size: int, name: str) -> None:
    if isinstance(value, float) and value.is_integer():  # JSON knows one kind of number
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 8 * size:
        raise MalformedInput(f"field {name} of the report is not an unsigned number of {8 * size} bits")
    raw[at : at + size] = value.to_bytes(size, "little")


def _put_bytes(raw: bytearray, value: Any, at: int, size: int, name: str) -> None:
    try:
        data = bytes.fromhex(value) if isinstance(value, str) else bytes(value if isinstance(value, list) else ())
    except (ValueError, TypeError):
        data = b""
    if len(data) != size:
        raise MalformedInput(f"field {name} of the report is not {size} bytes, as hex or a list of numbers")
    raw[at : at + size] = data


def _tcb(value: Any, name: str) -> bytes:
    parts = _object(value, name, set(_TCB_PARTS), {"fmc", "_reserved"})
    packed = bytearray(4)
    if parts.get("fmc") is not None:
        _put_number(packed, parts["fmc"], 0, 1, f"{name}.fmc")
    fmc = None if parts.get("fmc") is None else packed[0]
    for at, part in enumerate(_TCB_PARTS):
        _put_number(packed, parts[part], at, 1, f"{name}.{part}")
    reserved = parts.get("_reserved") or []
    if not isinstance(reserved, list) or any(byte != 0 for byte in reserved):
        raise MalformedInput(f"reserved bytes in field {name} of the report are not zero")
    return TcbVersion(fmc, *packed).pack()


def _object(value: Any, name: str, needed: set[str], optional: set[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not needed <= value.keys() <= needed | (optional or set()):
        also = f" and may have: {', '.join(sorted(optional))}" if optional else ""
        raise MalformedInput(f"field {name} of the report must have exactly: {', '.join(sorted(needed))}{also}")
    return value
