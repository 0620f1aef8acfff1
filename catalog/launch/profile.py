"""VmmProfile: what one VMM does at launch, as data; one TOML file for each profile."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from catalog.abi import vmsa
from catalog.abi.page_info import PAGE_SIZE, PageType
from catalog.abi.vcpu import VcpuSignature
from catalog.abi.vcpu_start import RESET_EIP, SIGNATURE
from catalog.errors import MalformedRecord
from catalog.firmware.metadata import SectionType
from catalog.firmware.tdx.tdvf import TdvfSectionType
from catalog.firmware.tdx.tdx_facts import WAYS
from catalog.launch.igvm_rules import IgvmRules, IgvmWire
from catalog.launch.update import LaunchUpdate
from catalog.wire import U16, U32, PageAddress, Wire, decode_toml


class SegmentWire(Wire, frozen=True):
    """A segment register in a profile file."""

    selector: U16 = 0
    attrib: U16 = 0
    limit: U32 = 0
    base: U32 = 0


class BspWire(Wire, frozen=True):
    """What differs between the BSP and the APs."""

    segments: dict[str, SegmentWire] = {}


class VmsaWire(Wire, frozen=True):
    """Registers common to all vCPUs; cs.base and rip follow from the address where each starts."""

    segments: dict[str, SegmentWire]
    registers: dict[str, int | Literal["vcpu-signature"]]
    bsp: BspWire = BspWire()


class SnpWire(Wire, frozen=True):
    """What a VMM chooses under SEV-SNP only: types of pages whose contents are not measured, and the order of pages.

    kernel_hashes: where they are; `never`: the VMM passes none, under no technology.
    """

    kernel_hashes: Literal["in-section", "after-firmware", "never"]
    cpuid: Literal["in-place", "after-sections"]
    vmsa_gpa: PageAddress
    page_types: dict[str, Literal["NORMAL", "ZERO", "UNMEASURED", "SECRETS", "CPUID"]]
    sections: Literal["as-listed", "buildigvm"] = "as-listed"


class TdxWire(Wire, frozen=True):
    """What a VMM chooses under TDX only. way: of `tdx_facts.WAYS`. sections: types of TDVF sections that it knows."""

    way: str
    sections: list[str]


class ProfileWire(Wire, frozen=True):
    """A file of data/vmm/. hosted: the platform that alone runs this VMM, and launches its own firmware only.

    igvm: of a loader of IGVM files, which needs vmsa only if it makes VMSAs that the file does not have.
    """

    name: str
    title: str
    revision: int
    technologies: list[str]
    validity: str
    evidence: list[str]
    vmsa: VmsaWire | None = None
    snp: SnpWire | None = None
    igvm: IgvmWire | None = None
    tdx: TdxWire | None = None
    hosted: str | None = None


@dataclass(frozen=True, eq=False)
class SnpLaunchRules:
    """Page types and order of an SNP launch under one VMM.

    page_types: page type for each section type that this VMM knows; NORMAL: of zeros.
    takes_hashes: whether the VMM passes kernel hashes.
    sections_of_buildigvm: whether the sections are launched as buildigvm puts them into an IGVM file.
    hashes_after_firmware: the kernel hashes page comes before all sections (trees of 2022).
    cpuid_last: CPUID comes after all other sections (EC2).
    vmsa_gpa: guest-physical address under which VMSA pages are measured.
    """

    page_types: Mapping[int, PageType]
    takes_hashes: bool
    hashes_after_firmware: bool
    sections_of_buildigvm: bool
    cpuid_last: bool
    vmsa_gpa: int


@dataclass(frozen=True, eq=False)
class TdxLaunchRules:
    """A TDX launch under one VMM. way: of `tdx_facts.WAYS`. sections: types of TDVF sections that this VMM knows."""

    way: str
    sections: frozenset[int]


@dataclass(frozen=True, eq=False)
class VmmProfile:
    """The launch of one VMM. A profile is equal only to itself, so that its pages can be cached."""

    wire: ProfileWire
    text: str
    snp: SnpLaunchRules | None
    igvm: IgvmRules | None = None
    tdx: TdxLaunchRules | None = None

    @classmethod
    @lru_cache(maxsize=64)
    def parse(cls, text: str) -> VmmProfile:
        """Read a profile file: the same profile for the same text, as most catalogs and releases have the same ones.

        Raises MalformedRecord naming the path of the wrong key.
        """
        wire = decode_toml(text, ProfileWire, "VMM profile")
        registers = wire.vmsa.registers if wire.vmsa else {}
        if derived := {"rip", "sev_features"} & registers.keys():
            raise MalformedRecord(
                f"VMM profile {wire.name!r}: {min(derived)} must not be set: it is derived from the launch"
            )
        try:
            snp = _snp_rules(wire.snp, wire.name) if wire.snp else None
            igvm = IgvmRules.parse(wire.igvm, wire.name) if wire.igvm else None
            profile = cls(wire, text, snp, igvm, _tdx_rules(wire.tdx, wire.name) if wire.tdx else None)
            for bsp in (True, False) if wire.vmsa else ():
                profile.vmsa_page(RESET_EIP, VcpuSignature(0xFFFFFFFF), 0, bsp=bsp)
        except KeyError as error:
            raise MalformedRecord(
                f"VMM profile {wire.name!r}: unknown or missing register, segment or section {error}"
            ) from error
        except struct.error as error:
            raise MalformedRecord(f"VMM profile {wire.name!r}: a value does not fit its field: {error}") from error
        if profile.igvm:
            if profile.igvm.resets_other_vcpus != (wire.vmsa is not None) or snp:
                raise MalformedRecord(f"VMM profile {wire.name!r}: [vmsa] and vCPUs in reset state need each other")
        elif (wire.technologies == ["tdx"]) != (wire.tdx is not None):
            raise MalformedRecord(
                f"VMM profile {wire.name!r}: the table [tdx] and technology tdx, alone, need each other"
            )
        elif not wire.tdx and (("sev-snp" in wire.technologies) != (snp is not None) or not wire.vmsa):
            raise MalformedRecord(
                f"VMM profile {wire.name!r}: the table [snp] and technology sev-snp need each other, and need [vmsa]"
            )
        return profile

    @property
    def name(self) -> str:
        return self.wire.name

    @property
    def technologies(self) -> list[str]:
        """Names of the technologies that this VMM launches."""
        return self.wire.technologies

    @cached_property
    def measures_signature(self) -> bool:
        """Whether any register holds the vCPU signature; if not, the digest does not depend on the vCPU type."""
        return bool(self.signature_registers)

    @property
    def signature_registers(self) -> list[str]:
        """Names of the registers that hold the vCPU signature."""
        registers = self.wire.vmsa.registers if self.wire.vmsa else {}
        return [name for name, value in registers.items() if value == SIGNATURE]

    @lru_cache(maxsize=1024)  # noqa: B019 - profiles live as long as the process
    def vmsa_page(self, eip: int, signature: VcpuSignature, sev_features: int, *, bsp: bool) -> bytes:
        """The VMSA page, 4096 bytes, of a vCPU that starts at `eip`, a 32-bit address."""
        wire = self.wire.vmsa
        assert wire is not None, "asked only of profiles that make VMSAs"  # noqa: S101
        segments = {**wire.segments, **wire.bsp.segments} if bsp else wire.segments
        registers = vmsa.Registers(
            {name: vmsa.Segment(s.selector, s.attrib, s.limit, s.base) for name, s in segments.items()},
            {name: signature.value if v == SIGNATURE else int(v) for name, v in wire.registers.items()}
            | {"sev_features": sev_features},
        )
        return vmsa.encode(vmsa.starting_at(registers, eip))

    @lru_cache(maxsize=1024)  # noqa: B019
    def vmsa_update(
        self, eip: int, signature: VcpuSignature, sev_features: int, *, bsp: bool, gpa: int
    ) -> LaunchUpdate:
        """The launch update of one VMSA page."""
        page = self.vmsa_page(eip, signature, sev_features, bsp=bsp)
        return LaunchUpdate(PageType.VMSA, gpa, PAGE_SIZE, page)


def _tdx_rules(wire: TdxWire, profile: str) -> TdxLaunchRules:
    if wire.way not in WAYS:
        raise MalformedRecord(f"VMM profile {profile!r}: tdx: unknown way {wire.way[:24]!r}")
    return TdxLaunchRules(wire.way, frozenset(TdvfSectionType[name].value for name in wire.sections))


def _snp_rules(wire: SnpWire, profile: str) -> SnpLaunchRules:
    types = {"SNP_SECRETS": "SECRETS", "SVSM_CAA": "NORMAL", "CPUID": "CPUID", "SNP_SEC_MEM": "NORMAL"}
    is_buildigvm = wire.sections == "buildigvm"
    if is_buildigvm != (wire.page_types == types) or (not is_buildigvm and "NORMAL" in wire.page_types.values()):
        raise MalformedRecord(f"VMM profile {profile!r}: page_types: NORMAL is for the sections of buildigvm")
    return SnpLaunchRules(
        page_types={SectionType[kind]: PageType[page] for kind, page in wire.page_types.items()},
        takes_hashes=wire.kernel_hashes != "never",
        sections_of_buildigvm=wire.sections == "buildigvm",
        hashes_after_firmware=wire.kernel_hashes == "after-firmware",
        cpuid_last=wire.cpuid == "after-sections",
        vmsa_gpa=wire.vmsa_gpa,
    )
