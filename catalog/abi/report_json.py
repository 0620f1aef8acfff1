"""Attestation reports in JSON, as the virtee crates and snpguest serialise them, converted back to their bytes.

Bytes are lists of numbers, or hex. Fields of older and newer crates are accepted; a missing field is zero, because it
is reserved in that version. The bytes are then parsed like any report, and the signature shows whether they are right.
Source: virtee/sev 1.1.0 to 7.1.0, src/firmware/guest/types/snp.rs, AttestationReport.
"""

from __future__ import annotations

from catalog.abi.report import REPORT_SIZE, AttestationReport
from catalog.abi.tcb import TcbVersion
from catalog.errors import MalformedInput
from catalog.notes import Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

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
_VERSIONS = {"current": {"build": 0x1E8, "minor": 0x1E9, "major": 0x1EA}}
_VERSIONS["committed"] = {part: at + 4 for part, at in _VERSIONS["current"].items()}
_TCB_PARTS = {"fmc", "bootloader", "microcode", "_reserved"}
"""Components that not every product has, and what crates before version 6 keep of the others."""

_NAMES_OF_1_1 = {"boot_loader": "bootloader", "reserved": "_reserved"}
"""Parts of a TCB version that version 1.1 of the crate names otherwise."""

_NEEDED = {"version", "policy", "measurement", "signature"}
"""Fields that every report has."""


def is_report_json(fields: Mapping[str, Any]) -> bool:
    """Whether a JSON object has the fields of a report."""
    return fields.keys() >= _NEEDED


def parse_report_json(fields: Mapping[str, Any]) -> AttestationReport:
    """The report, with a note if there are fields that are unknown and not null.

    Raises MalformedInput for a field that is missing, or of another type or size, and as `AttestationReport.parse`.
    """
    raw, unknown = _converted(fields)
    return AttestationReport.parse(raw, fields_left_out(unknown))


def fields_left_out(unknown: int) -> list[Note]:
    """The note on fields that are unknown; none for none. unknown: how many."""
    what = "1 field of the report is" if unknown == 1 else f"{unknown} fields of the report are"
    text = f"{what} not known to this version and left out, so the signature may not verify"
    return [Note("report-field-unknown", text)] if unknown else []


def _converted(fields: Mapping[str, Any]) -> tuple[bytes, int]:
    """The bytes of a report, and the number of fields that are unknown and not null."""
    raw, unknown = bytearray(REPORT_SIZE), 0
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
            parts, more = _object(_renamed(value), name, {"tee", "snp"}, _TCB_PARTS)
            raw[_TCBS[name] : _TCBS[name] + 8] = _tcb(parts, name)
            unknown += more
        elif name in _VERSIONS:
            parts, more = _object(value, name, set(_VERSIONS[name]))
            for part, number in parts.items():
                _put_number(raw, number, _VERSIONS[name][part], 1, f"{name}.{part}")
            unknown += more
        elif name == "signature":
            parts, more = _object(value, name, {"r", "s"}, {"_reserved"})
            for part, data in parts.items():
                _put_bytes(raw, data, *_SIGNATURE[part], f"signature.{part}")
            unknown += more
        else:
            unknown += 1
    return bytes(raw), unknown


def _number(value: Any, size: int, name: str) -> int:
    if isinstance(value, float) and value.is_integer():  # JSON knows one kind of number
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 8 * size:
        raise MalformedInput(f"field {name} of the report is not an unsigned number of {8 * size} bits")
    return value


def _put_number(raw: bytearray, value: Any, at: int, size: int, name: str) -> None:
    raw[at : at + size] = _number(value, size, name).to_bytes(size, "little")


def _put_bytes(raw: bytearray, value: Any, at: int, size: int, name: str) -> None:
    data = b""
    try:
        if isinstance(value, str):
            data = bytes.fromhex(value)
        elif isinstance(value, list) and not any(isinstance(byte, bool) for byte in value):
            data = bytes(value)
    except (ValueError, TypeError):
        pass
    if len(data) != size:
        raise MalformedInput(f"field {name} of the report is not {size} bytes, as hex or a list of numbers")
    raw[at : at + size] = data


def _renamed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {_NAMES_OF_1_1.get(name, name): part for name, part in value.items()}


def _tcb(parts: Mapping[str, Any], name: str) -> bytes:
    """The 8 bytes of a TCB version; crates before 6 keep its reserved bytes, which on Turin are components."""
    numbers = {part: _number(value, 1, f"{name}.{part}") for part, value in parts.items() if part != "_reserved"}
    packed = bytearray(TcbVersion(**numbers).pack())
    if "_reserved" in parts:
        if "fmc" in parts:
            raise MalformedInput(f"field {name} of the report has both fmc and reserved bytes, as no crate writes it")
        _put_bytes(packed, parts["_reserved"], 2, 4, f"{name}._reserved")
    return bytes(packed)


def _object(value: Any, name: str, needed: set[str], optional: Collection[str] = ()) -> tuple[dict[str, Any], int]:
    """The known members of an object that are not null, and the number of others."""
    members = {key: part for key, part in value.items() if part is not None} if isinstance(value, dict) else {}
    if not members.keys() >= needed:
        raise MalformedInput(f"field {name} of the report must have: {', '.join(sorted(needed))}")
    known = {key: part for key, part in members.items() if key in needed or key in optional}
    return known, len(members) - len(known)
