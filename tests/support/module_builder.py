"""Modules of firmware volumes for tests: code that refers to UTF-16 strings, in a file with a valid header."""

from __future__ import annotations

from catalog.firmware.firmware_version import SMBIOS_PLATFORM_DXE, UI_APP
from catalog.firmware.guid import Guid

VENDOR, RELEASE_DATE, VERSION = "Debian distribution of EDK II", "09/26/2026", "2026.08+ds-2"

DRIVER, APPLICATION = 0x07, 0x09


def code_with_strings(*texts: str, registers: bytes = b"\x0d") -> bytes:
    """Code with a LEA instruction for each string, then the strings after what looks like a character."""
    strings = [text.encode("utf-16-le") + bytes(2) for text in texts]
    code, at = b"", 7 * len(strings)
    for number, string in enumerate(strings):
        at += 4
        code += b"\x48\x8d" + registers[number % len(registers) :][:1] + (at - len(code) - 7).to_bytes(4, "little")
        at += len(string)
    return code + b"".join(b"\0\0@\0" + string for string in strings)


def module(guid: Guid, contents: bytes, *, kind: int = DRIVER, size: int | None = None) -> bytes:
    """A file of a firmware volume. size: what its header states, by default the right one."""
    header = bytearray(guid.bytes_le + bytes([0, 0xAA, kind, 0]))
    header += (24 + len(contents) if size is None else size).to_bytes(3, "little") + b"\xf8"
    header[16] = (header[17] + header[23] - sum(header)) % 256
    return bytes(header) + contents


def smbios_platform_dxe(version: str = VERSION) -> bytes:
    """A module with the strings of SMBIOS type 0."""
    return module(SMBIOS_PLATFORM_DXE, code_with_strings("unknown", "02/02/2022", RELEASE_DATE, version, VENDOR))


def ui_app(version: str = VERSION, *more: str) -> bytes:
    """A module with the strings of a setup menu."""
    return module(UI_APP, code_with_strings("Standard PC", version, *more), kind=APPLICATION)


def volume_with_version(version: str = VERSION) -> bytes:
    """Contents of a volume whose modules have a version, among other bytes."""
    return b"\x11" * 100 + smbios_platform_dxe(version) + b"\x22" * 900 + ui_app(version) + b"\x33" * 50
