"""The version string that a firmware image has of itself: edk2's PcdFirmwareVersionString.

edk2 compiles the string into each module that uses it, with no name and at no fixed place. Two modules of OVMF use it:
SmbiosPlatformDxe (BIOS version in SMBIOS type 0, since edk2-stable202302) together with vendor and release date, and
UiApp (the setup menu), which uses neither of the two. So it is the one string to which the code of both refers.
Source: edk2 pull request 3745; OvmfPkg/SmbiosPlatformDxe/SmbiosPlatformDxe.c; MdeModulePkg/Application/UiApp.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from catalog.firmware.guid import Guid
from catalog.firmware.module_files import ModuleFinder

SMBIOS_PLATFORM_DXE = Guid.of("4110465d-5ff3-4f4b-b580-24ed0d06747a")
UI_APP = Guid.of("462caa21-7614-4503-836e-8ab6f4662331")

TEXT_PATTERN = r"[ !#-\[\]-~]{3,127}"
"""Printable ASCII without quotation mark and backslash. edk2 itself takes less than 3 characters for no version."""

REFERENCES_LIMIT = 1 << 16
"""Instructions that may refer to a string, in all modules; published images have about 630. With more, the version is
not known."""

_NO_VERSION = "unknown"  # what SmbiosPlatformDxe says for a string that the build did not set

_LOAD_ADDRESS = re.compile(rb"[\x48\x4c]\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]")
"""LEA r64, [RIP + disp32], before its displacement: how x86-64 code refers to a constant."""

_STRING = re.compile(rb"((?:[ !#-\[\]-~]\0){3,127})\0\0")


@dataclass(slots=True)
class VersionSearch:
    """Searches the contents of firmware volumes, given part by part, for the firmware's version."""

    _finder: ModuleFinder = field(default_factory=lambda: ModuleFinder((SMBIOS_PLATFORM_DXE, UI_APP)))
    _references: int = 0
    _strings: dict[Guid, set[str]] = field(default_factory=lambda: {SMBIOS_PLATFORM_DXE: set(), UI_APP: set()})

    def feed(self, part: bytes) -> None:
        """Take the next part of the contents."""
        for guid, module in self._finder.feed(part):
            self._strings[guid].update(self._strings_of(module))

    def version(self) -> str | None:
        """The version, of TEXT_PATTERN; None if the modules have no string in common, or more than one."""
        if self._finder.gave_up or self._references > REFERENCES_LIMIT:
            return None
        common = set.intersection(*self._strings.values()) - {_NO_VERSION}
        return common.pop() if len(common) == 1 else None

    def _strings_of(self, module: bytes) -> Iterator[str]:
        """The UTF-16 strings that the code of a module refers to, until REFERENCES_LIMIT references were followed.

        Offsets in the file stand for addresses: edk2's GenFw makes images in which they differ by a constant.
        """
        for load in _LOAD_ADDRESS.finditer(module):
            self._references += 1
            if self._references > REFERENCES_LIMIT:
                return
            displacement = int.from_bytes(module[load.end() : load.end() + 4], "little", signed=True)
            at = load.end() + 4 + displacement
            if at >= 0 and (found := _STRING.match(module, at)):
                yield found[1].decode("utf-16-le")
