"""RtmrFacts: the events of RTMR0 that follow from an image alone: its variable store, and the Secure Boot variables.

They are no RTMR0: that depends on the TD HOB and the ACPI tables, too, which follow from the command line of the VMM.

Source: edk2 OvmfPkg/IntelTdx/TdxHelperLib/SecTdxHelper.c (TdxHelperMeasureCfvImage), OvmfPkg/Tcg/TdTcg2Dxe/TdTcg2Dxe.c
(MeasureAllSecureVariables), SecurityPkg/Library/AuthVariableLib/AuthVariableLib.c (SecureBoot), and
OvmfPkg/Library/PeilessStartupLib/PeilessStartup.c (the store is read by builds with Secure Boot alone).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from catalog.errors import MalformedFirmware
from catalog.firmware.blob_verifier import enforcement_in
from catalog.firmware.guid import Guid
from catalog.firmware.module_files import ModuleFinder
from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.tdx.tdvf import TdvfSection, TdvfSectionType, bytes_before_image, read_tdvf, section_contents
from catalog.firmware.tdx.variables import Name, read_variables
from catalog.wire import Wire, unhex

GLOBAL = Guid.of("8be4df61-93ca-11d2-aa0d-00e098032b8c")
SECURITY_DATABASE = Guid.of("d719b2cb-3d3a-4596-a3bc-dad00e67656f")

CFV = "cfv"
"""The event of the variable store: EV_EFI_PLATFORM_FIRMWARE_BLOB2, SHA-384 of the TDVF section in the image."""

SECURE_BOOT = Name(GLOBAL, "SecureBoot")
PLATFORM_KEY = Name(GLOBAL, "PK")
VARIABLES: Mapping[str, Name] = MappingProxyType(
    {
        "secure_boot": SECURE_BOOT,
        "pk": PLATFORM_KEY,
        "kek": Name(GLOBAL, "KEK"),
        "db": Name(SECURITY_DATABASE, "db"),
        "dbx": Name(SECURITY_DATABASE, "dbx"),
    }
)
"""The variables in the order of their events: EV_EFI_VARIABLE_DRIVER_CONFIG, SHA-384 of UEFI_VARIABLE_DATA."""

EVENTS = (CFV, *VARIABLES)

_ENABLE = Name(Guid.of("f0a30bc7-af08-4556-99c4-001009c93a44"), "SecureBootEnable")
_TD_TCG2 = Guid.of("f062221e-c607-44c2-b0b4-c3886331d351")
_SECURE_BOOT_CONFIG = Guid.of("f0e6a44f-7195-41c3-ac64-54f202cd0a21")
"""Modules of edk2: TdTcg2Dxe measures, and SecureBootConfigDxe is in every build with Secure Boot, and in no other."""

_DIGEST_SIZE = 48


class RtmrWire(Wire, frozen=True):
    """RtmrFacts in a record, as the table rtmr: SHA-384 of each event, in lower-case hex."""

    cfv: str
    secure_boot: str
    pk: str
    kek: str
    db: str
    dbx: str


@dataclass(frozen=True, slots=True)
class RtmrFacts:
    """digests: 48 bytes by event, of EVENTS. why_unknown: why it has not all of them, or None."""

    digests: Mapping[str, bytes]
    why_unknown: str | None = None

    @classmethod
    def of(cls, image: OvmfImage) -> RtmrFacts:
        """The facts of an image; those that it does not tell are left out, with a reason."""
        try:
            sections = read_tdvf(image)
            store = _store(sections, image.data)
            modules = _modules(image.data)
        except MalformedFirmware as error:
            return cls({}, str(error))
        if _TD_TCG2 not in modules:
            return cls({}, "the firmware has no driver that measures into RTMRs (TdTcg2Dxe)")
        found = {CFV: hashlib.sha384(store).digest()}
        try:
            variables = _measured(store) if _SECURE_BOOT_CONFIG in modules else {}
        except MalformedFirmware as error:
            return cls(found, f"the firmware refuses it: {error}")
        events = {event: variable_digest(name, variables.get(name, b"")) for event, name in VARIABLES.items()}
        return cls(found | events)

    @classmethod
    def from_wire(cls, wire: RtmrWire, what: str) -> RtmrFacts:
        """The facts of a record; raises MalformedRecord for what is no digest. what: the record, for people."""
        return cls({name: unhex(getattr(wire, name), _DIGEST_SIZE, f"{what}: rtmr.{name}") for name in EVENTS})

    @property
    def is_whole(self) -> bool:
        return self.why_unknown is None

    @property
    def wire(self) -> RtmrWire | None:
        """The facts as a record has them; None if some are missing."""
        return RtmrWire(**{name: self.digests[name].hex() for name in EVENTS}) if self.is_whole else None

    def lines(self, table: str) -> list[str]:
        """The facts in TOML, as a table with this name; nothing if some are missing."""
        if not self.is_whole:
            return []
        return ["", f"[{table}]", *(f'{name} = "{self.digests[name].hex()}"' for name in EVENTS)]

    def to_dict(self) -> dict[str, object]:
        """The member `rtmr` of `tdx` in the JSON of `ldcat inspect`."""
        return {
            "why_unknown": self.why_unknown,
            "events": {name: self.digests[name].hex() if name in self.digests else None for name in EVENTS},
        }


def variable_digest(name: Name, data: bytes) -> bytes:
    """SHA-384 of UEFI_VARIABLE_DATA: GUID, characters of the name (u64), bytes of the data (u64), name, data."""
    text = name.text.encode("utf-16-le")
    return hashlib.sha384(name.vendor.bytes_le + struct.pack("<QQ", len(text) // 2, len(data)) + text + data).digest()


def _store(sections: Sequence[TdvfSection], image: bytes) -> bytes:
    """The section CFV as it is in the image; raises MalformedFirmware if there is not one, or if it is elsewhere."""
    found = [one for one in sections if one.kind == TdvfSectionType.CFV]
    if len(found) != 1:
        raise MalformedFirmware(f"TDVF metadata has {len(found)} sections CFV, not one")
    contents = section_contents(found[0], image, bytes_before_image(sections, len(image)))
    if contents is None:
        raise MalformedFirmware("the variable store is in another file: put both together, the variable store first")
    return bytes(contents)


def _modules(image: bytes) -> set[Guid]:
    """Which of the two modules an image has; raises MalformedFirmware if that cannot be seen."""
    finder = ModuleFinder((_TD_TCG2, _SECURE_BOOT_CONFIG))
    found: set[Guid] = set()
    unpacked = enforcement_in(image, lambda part: found.update(guid for guid, _ in finder.feed(part)))
    if unpacked.why_unknown or unpacked.is_damaged or finder.gave_up:
        raise MalformedFirmware(f"the modules of the firmware are not known: {unpacked.why_unknown or 'it is damaged'}")
    return found


def _measured(store: bytes) -> dict[Name, bytes]:
    """What the variables hold when they are measured: those of the store, and SecureBoot, which follows from them.

    It is 1 with a platform key, unless SecureBootEnable is there and another number than 1.
    """
    stored = read_variables(store)
    is_enabled = PLATFORM_KEY in stored and stored.get(_ENABLE, b"\1")[:1] == b"\1"
    return {**stored, SECURE_BOOT: bytes([is_enabled])}
