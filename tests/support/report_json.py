"""Attestation reports as JSON, in the formats of other tools."""

from __future__ import annotations

from typing import Any

from catalog.abi.tcb import BEFORE_TURIN, SINCE_TURIN, TcbVersion

NUMBERS = {"version": 0, "guest_svn": 4, "vmpl": 0x30, "sig_algo": 0x34}

BYTES = {
    "family_id": (0x10, 16),
    "image_id": (0x20, 16),
    "report_data": (0x50, 64),
    "measurement": (0x90, 48),
    "host_data": (0xC0, 32),
    "id_key_digest": (0xE0, 48),
    "author_key_digest": (0x110, 48),
    "report_id": (0x140, 32),
    "report_id_ma": (0x160, 32),
    "chip_id": (0x1A0, 64),
}


def as_json(raw: bytes, *, hexadecimal: bool, old: bool) -> dict[str, Any]:
    """The JSON of virtee/sev: its current format, or the one before version 6."""

    def data(at: int, size: int) -> object:
        return raw[at : at + size].hex() if hexadecimal else list(raw[at : at + size])

    def tcb(at: int) -> dict[str, object]:
        parts = TcbVersion.parse(raw[at : at + 8], SINCE_TURIN if not old and raw[0x188] >= 0x1A else BEFORE_TURIN)
        made: dict[str, object] = {"bootloader": parts.bootloader, "tee": parts.tee}
        made |= {"snp": parts.snp, "microcode": parts.microcode}
        return {**made, "_reserved": [0, 0, 0, 0]} if old else {"fmc": parts.fmc, **made}

    made: dict[str, Any] = {name: int.from_bytes(raw[at : at + 4], "little") for name, at in NUMBERS.items()}
    made |= {name: data(*place) for name, place in BYTES.items()}
    made["policy"] = int.from_bytes(raw[8:16], "little")
    made["plat_info"] = int.from_bytes(raw[0x40:0x48], "little")
    made |= {name: tcb(at) for name, at in (("current_tcb", 0x38), ("reported_tcb", 0x180))}
    made |= {name: tcb(at) for name, at in (("committed_tcb", 0x1E0), ("launch_tcb", 0x1F0))}
    made["signature"] = {"r": data(0x2A0, 72), "s": data(0x2E8, 72)}
    keys = int.from_bytes(raw[0x48:0x4C], "little")
    if old:
        made |= {"_author_key_en": keys, "_reserved_0": 0, "_reserved_1": data(0x188, 24)}
        made |= {"_reserved_2": 0, "_reserved_3": 0, "_reserved_4": data(0x1F8, 168)}
        made |= {f"current_{part}": raw[at] for part, at in (("build", 0x1E8), ("minor", 0x1E9), ("major", 0x1EA))}
        made |= {f"committed_{part}": raw[at] for part, at in (("build", 0x1EC), ("minor", 0x1ED), ("major", 0x1EE))}
        made["signature"]["_reserved"] = data(0x330, 368)
        return made
    known = raw[0] >= 3
    made["key_info"] = keys
    made |= {name: raw[0x188 + n] if known else None for n, name in enumerate(("cpuid_fam_id", "cpuid_mod_id"))}
    made["cpuid_step"] = raw[0x18A] if known else None
    for name, at in (("current", 0x1E8), ("committed", 0x1EC)):
        made[name] = {"major": raw[at + 2], "minor": raw[at + 1], "build": raw[at]}
    vectors_of = (("launch_mit_vector", 0x1F8), ("current_mit_vector", 0x200))
    made |= {name: int.from_bytes(raw[at : at + 8], "little") if raw[0] >= 5 else None for name, at in vectors_of}
    return made
