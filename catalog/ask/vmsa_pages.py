"""VMSA pages: parse them, build them as a VMM does, find the VMMs that make them, compare them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.abi import vmsa, vmsa_layout
from catalog.abi.page_info import contents_digest
from catalog.abi.vcpu import VcpuSignature
from catalog.abi.vcpu_start import RESET_EIP, SNP_ACTIVE
from catalog.ask.vmsa_record import page_of_json
from catalog.errors import CannotLaunch, MalformedInput, UsageError
from catalog.firmware.build import FirmwareBuild
from catalog.launch.point import VcpuPoint
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import Technology, technologies, technology_named
from catalog.launch.vmsa_updates import vmsa_updates
from catalog.notes import Note
from catalog.spec import embedded, named_builds

MAX_INPUT = 128 << 10
"""Bytes: limit for any form of a page; the longest is JSON in which every other unnamed byte is a run."""

_FORMS = "give the 4096 bytes, their hex digits, or the JSON that ldcat vmsa show prints"


@dataclass(frozen=True, slots=True)
class Origin:
    """A launch that makes a page, with the axes that the page depends on.

    vmm: VMM profile.
    technology: name.
    vcpu: "bsp" or "ap".
    start: 32-bit address where the vCPU starts.
    vcpu_signature: None under a profile that does not measure it.
    sev_features: 64 bits.
    """

    vmm: VmmProfile
    technology: str
    vcpu: str
    start: int
    vcpu_signature: VcpuSignature | None
    sev_features: int

    def to_dict(self) -> dict[str, Any]:
        """The origin in the JSON of `ldcat vmsa show`: numbers in 0x-hex; vcpu_types are names of the signature."""
        signature = self.vcpu_signature
        return {
            "vmm": self.vmm.name,
            "technology": self.technology,
            "vcpu": self.vcpu,
            "start": f"{self.start:#x}",
            "vcpu_signature": signature and str(signature),
            "vcpu_types": list(embedded.vcpu_types().names(signature)) if signature else [],
            "sev_features": f"{self.sev_features:#x}",
        }


@dataclass(frozen=True, slots=True)
class SaveArea:
    """One VMSA page, 4096 bytes. Source: AMD APM volume 2, appendix B, table B-4."""

    page: bytes

    @classmethod
    def parse(cls, data: bytes, name: str) -> SaveArea:
        """From 4096 raw bytes, their hex digits (with blanks and line ends between bytes), or JSON as of `to_dict`.

        name: what errors call the data. The form is never ambiguous: text has no zero byte, every page of a launch has.
        Raises MalformedInput for any other form, or more than MAX_INPUT bytes.
        """
        if len(data) > MAX_INPUT:
            raise MalformedInput(f"{name} is larger than {MAX_INPUT} bytes, the limit for any form of a VMSA", _FORMS)
        if b"\0" not in data and data.lstrip().startswith(b"{"):
            return cls(page_of_json(data, name))
        page = _unhex(data)
        if len(page) != vmsa_layout.VMSA_SIZE:
            raise MalformedInput(f"{name}: a VMSA is {vmsa_layout.VMSA_SIZE} bytes, not {len(page)}", _FORMS)
        return cls(page)

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `ldcat vmsa show`: nonzero registers, all segments, unnamed bytes; numbers in 0x-hex.

        sha256 and sha384 hash the whole page; SEV-SNP measures the latter (PAGE_INFO.CONTENTS).
        """
        registers = vmsa.decode(self.page)
        return {
            "sha256": hashlib.sha256(self.page).hexdigest(),
            "sha384": contents_digest(self.page).hex(),
            "registers": {name: f"{value:#x}" for name, value in registers.values.items() if value},
            "segments": {
                name: {field: f"{getattr(segment, field):#x}" for field in vmsa_layout.SEGMENT_BITS}
                for name, segment in registers.segments.items()
            },
            "unnamed": [{"offset": f"{at:#x}", "data": data.hex()} for at, data in vmsa.unnamed(self.page)],
            "profiles": [origin.to_dict() for origin in self.origins()],
        }

    def origins(self) -> Iterator[Origin]:
        """Every embedded profile that makes exactly this page, for a BSP or else for an AP, by name.

        Start address, signature and sev_features are taken from the page. Launches that `measure` refuses with any
        firmware are left out.
        """
        registers = vmsa.decode(self.page)
        start = registers.segments["cs"].base & 0xFFFF0000 | registers.values["rip"] & 0xFFFF
        features = registers.values["sev_features"]
        technology = "sev-snp" if features & SNP_ACTIVE else "sev-es"
        for profile in embedded.vmsa_profiles().values():
            held = profile.signature_registers
            signature = VcpuSignature(registers.values[held[0]] & 0xFFFFFFFF) if held else None
            vcpu = self._made_by(profile, start, signature, features)
            if vcpu and technology in profile.technologies:
                yield Origin(profile, technology, vcpu, start, signature, features)

    def _made_by(self, profile: VmmProfile, start: int, signature: VcpuSignature | None, features: int) -> str | None:
        for vcpu, possible in (("bsp", start == RESET_EIP), ("ap", start != 0)):
            if possible and self.page == _page(profile, start, signature, features, bsp=vcpu == "bsp"):
                return vcpu
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """A page to build: of the BSP, or of an AP.

    technology: name.
    vmm: name of the VMM profile.
    ap: of an AP; it starts at the reset vector of a firmware, or at a given address.
    firmware: build name, SHA-256 or path.
    reset_vector: 32-bit address.
    vcpu_type, vcpu_signature: the signature by name, by number, or both.
    sev_features: None is the default of the technology.
    """

    technology: str
    vmm: str | None
    ap: bool = False
    firmware: str | None = None
    reset_vector: int | None = None
    vcpu_type: str | None = None
    vcpu_signature: int | None = None
    sev_features: int | None = None

    def build(self, builds: Mapping[str, FirmwareBuild]) -> tuple[SaveArea, tuple[Note, ...]]:
        """The page, byte for byte as `measure` hashes it, and notes: on the image, and on axes without an effect.

        builds: those that have names. Raises UsageError or CannotLaunch for a page that no launch has, UnknownName,
        and the errors of `named_builds.find_build`.
        """
        technology = technology_named(self.technology)
        point, ignored = self._point(technology)
        text = f"this page does not depend on: {', '.join(ignored)}"
        notes = (Note("digest-ignores-input", text),) if ignored else ()
        if not self.ap:
            return SaveArea(self._bsp(point)), notes
        page, on_image = self._ap(technology, point, builds)
        return SaveArea(page), (*on_image, *notes)

    def _point(self, technology: Technology) -> tuple[VcpuPoint, tuple[str, ...]]:
        default = technology.default_sev_features
        if not technology.measures_vcpus:
            others = ", ".join(name for name, known in technologies().items() if known.measures_vcpus)
            raise UsageError(f"{technology.name} measures no vCPU, so it has no VMSA", f"one of: {others}")
        names = [name for name, known in embedded.vmsa_profiles().items() if technology.name in known.technologies]
        one_of = f"one of: {', '.join(names)}"
        if self.vmm is None:
            raise UsageError(f"{technology.name} depends on the VMM, but none is given", one_of)
        vmm = embedded.profile_named(self.vmm)
        if vmm.name not in names:
            raise CannotLaunch(f"{vmm.name} does not launch {technology.name}", one_of)
        signature = self._signature()
        features = default if self.sev_features is None else self.sev_features
        point = VcpuPoint(None, vmm, signature if vmm.measures_signature else None, features, 2 if self.ap else 1)
        if (features ^ default) & SNP_ACTIVE:
            raise CannotLaunch(
                f"sev_features {features:#x} is not possible under {technology.name}",
                "bit 0, SNPActive, is set under sev-snp, and only there",
            )
        return point, () if vmm.measures_signature or signature is None else ("vCPU type",)

    def _signature(self) -> VcpuSignature | None:
        """The vCPU signature from a name, a number, or both; raises UsageError if they differ."""
        named = None if self.vcpu_type is None else embedded.vcpu_types().signature(self.vcpu_type)
        given = None if self.vcpu_signature is None else VcpuSignature(self.vcpu_signature)
        if named is not None and given is not None and named != given:
            raise UsageError(f"{self.vcpu_type} has the vCPU signature {named}, not {given}", "give one of them")
        return named if given is None else given

    def _bsp(self, point: VcpuPoint) -> bytes:
        if self.firmware is not None or self.reset_vector is not None:
            raise UsageError(f"the BSP starts at {RESET_EIP:#x} with any firmware", "add --ap for an AP")
        return _page(point.vmm, RESET_EIP, point.vcpu_signature, point.sev_features, bsp=True)

    def _ap(
        self, technology: Technology, point: VcpuPoint, builds: Mapping[str, FirmwareBuild]
    ) -> tuple[bytes, tuple[Note, ...]]:
        """The page of an AP, and the notes on the image that its reset vector is from."""
        if self.firmware is not None and self.reset_vector is None:
            build = named_builds.find_build(self.firmware, builds)
            if reason := technology.launch_blocker(build.image, point):
                raise CannotLaunch(
                    f"{technology.name} cannot launch {build.name}: {reason}",
                    "--reset-vector N makes the page without a firmware",
                )
            _, ap = vmsa_updates(build.image, point, gpa=0)
            return ap.data, build.notes
        if self.reset_vector is not None and self.firmware is None:
            if not 0 < self.reset_vector < 1 << 32:
                raise UsageError(
                    f"the reset vector {self.reset_vector:#x} is not a nonzero address of 32 bits",
                    "ldcat inspect shows the one of a firmware",
                )
            return _page(point.vmm, self.reset_vector, point.vcpu_signature, point.sev_features, bsp=False), ()
        raise UsageError(
            "the page of an AP needs a firmware or a reset vector, and none is given",
            "--firmware NAME|FILE or --reset-vector N",
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between two pages.

    what: a register, a field of a segment, or a range of unnamed bytes.
    a, b: the values in 0x-hex, or the bytes in hex.
    """

    what: str
    a: str
    b: str


def differences(first: SaveArea, second: SaveArea) -> list[Difference]:
    """All differences: segments, registers, then unnamed bytes, each in page order; empty for equal pages."""
    here, there = _values(first), _values(second)
    found = [
        Difference(name, f"{value:#x}", f"{there[name]:#x}") for name, value in here.items() if value != there[name]
    ]
    changed = bytes(a ^ b for a, b in zip(first.page, second.page, strict=True))
    for start, run in vmsa.unnamed(changed):
        end = start + len(run)
        found.append(
            Difference(f"bytes {start:#x} to {end - 1:#x}", first.page[start:end].hex(), second.page[start:end].hex())
        )
    return found


def _values(area: SaveArea) -> dict[str, int]:
    registers = vmsa.decode(area.page)
    segments = {
        f"{name}.{field}": getattr(segment, field)
        for name, segment in registers.segments.items()
        for field in vmsa_layout.SEGMENT_BITS
    }
    return segments | dict(registers.values)


def _page(vmm: VmmProfile, start: int, signature: VcpuSignature | None, features: int, *, bsp: bool) -> bytes:
    return vmm.vmsa_page(start, signature or VcpuSignature(0), features, bsp=bsp)


def _unhex(data: bytes) -> bytes:
    """The bytes of hex digits; data that is not hex is returned as it is."""
    try:
        return bytes.fromhex(data.decode("ascii"))
    except ValueError:
        return data
