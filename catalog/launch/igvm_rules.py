"""IgvmRules: how one loader launches IGVM files, as data: the table [igvm] of a VMM profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from catalog.abi.page_info import PageType
from catalog.abi.vmsa_layout import FIELDS, REGISTERS
from catalog.errors import MalformedRecord
from catalog.firmware.igvm.igvm_component import PLATFORMS
from catalog.firmware.igvm.igvm_types import HeaderType, PageDataType
from catalog.wire import PageAddress, Wire

_OVERLAPS_REFUSED = {
    "launched": frozenset[str](),
    "refused": frozenset(PLATFORMS),
    "refused-under-snp": frozenset({"sev-snp"}),
}


class IgvmWire(Wire, frozen=True, kw_only=True):
    """The table [igvm] of a profile file. headers, data_types: names that the loader knows; all if there is no list."""

    order: Literal["file", "regions", "address"]
    pages_without_data: Literal["NORMAL", "ZERO"]
    shared_pages: Literal["not-measured", "NORMAL"]
    large_pages: Literal["whole", "first-page"]
    parameter_areas: Literal["whole", "first-page"]
    vmsas: Literal["in-order", "at-end"]
    contexts: Literal["any", "boot-only"]
    vcpus_without_context: Literal["not-measured", "reset-state"]
    vmsa_gpa: PageAddress | None = None
    vmsa_fields: list[str] | None = None
    other_vmsa_fields: Literal["refused", "of-reset-state"] = "refused"
    vmsa_bits_set: dict[str, Annotated[int, Meta(ge=0, lt=1 << 62)]] = {}
    kernel_hashes_gpa: Annotated[int, Meta(ge=0, lt=1 << 52, multiple_of=1024)] | None = None
    unknown_headers: Literal["refused", "ignored"] = "refused"
    other_platforms: Literal["checked", "filtered"] = "checked"
    overlaps: Literal["launched", "refused", "refused-under-snp"] = "launched"
    headers: list[str] | None = None
    data_types: list[str] | None = None


@dataclass(frozen=True, slots=True)
class IgvmRules:
    """How a loader measures an IGVM file.

    order: of pages: that of the file; that of QEMU's regions of like pages, which are handed over when another one
    begins, or at the end; or by address.
    zero_type: NORMAL or ZERO, for a page without data.
    measures_shared: whether pages that the host can read are measured, as NORMAL.
    whole_large_pages: whether a page of 2 MiB is measured as 512 pages, or as one.
    whole_areas: whether all pages of a parameter area are measured, or its first alone.
    vmsas_at_end: whether VMSAs come after all pages, by vCPU, or where the file has them.
    boot_context_only: whether only the context of vCPU 0 can be launched.
    resets_other_vcpus: whether a VMSA in the reset state is measured for each vCPU without a context.
    vmsa_gpa: the address at which VMSAs after all pages are measured.
    vmsa_fields: segments and registers that are taken from a VMSA; None: all.
    refuses_other_fields: whether a VMSA that sets others, or is not at vmsa_gpa, is refused; if not, they have the
    values of the reset state.
    vmsa_bits_set: by register, bits that KVM sets in a VMSA of which it takes registers.
    kernel_hashes_gpa: where kernel hashes are written, if there are some, in a block of 1024 bytes: into the page that
    the file has there, which becomes NORMAL, or into one after all pages; None: the loader passes none.
    ignores_unknown: whether headers of types that nobody knows are passed over if they say so.
    filters_platform: whether headers of other platforms are not looked at.
    overlaps_refused: the technologies under which a page at an address that has another one is refused.
    headers, data_types: those that the loader knows; a file with another one cannot be launched.
    """

    order: Literal["file", "regions", "address"]
    zero_type: PageType
    measures_shared: bool
    whole_large_pages: bool
    whole_areas: bool
    vmsas_at_end: bool
    boot_context_only: bool
    resets_other_vcpus: bool
    vmsa_gpa: int | None
    vmsa_fields: frozenset[str] | None
    refuses_other_fields: bool
    vmsa_bits_set: Mapping[str, int]
    kernel_hashes_gpa: int | None
    ignores_unknown: bool
    filters_platform: bool
    overlaps_refused: frozenset[str]
    headers: frozenset[HeaderType]
    data_types: frozenset[PageDataType]

    @classmethod
    def parse(cls, wire: IgvmWire, profile: str) -> IgvmRules:
        """The rules of a profile; raises MalformedRecord for a name that is not known."""
        try:
            headers = HeaderType if wire.headers is None else [HeaderType[name] for name in wire.headers]
            data_types = PageDataType if wire.data_types is None else [PageDataType[name] for name in wire.data_types]
        except KeyError as error:
            raise MalformedRecord(f"VMM profile {profile!r}: igvm: unknown name {error}") from error
        if unknown := {*(wire.vmsa_fields or ())} - FIELDS.keys() | {*wire.vmsa_bits_set} - REGISTERS.keys():
            raise MalformedRecord(f"VMM profile {profile!r}: igvm: unknown field of a VMSA {min(unknown)!r}")
        if (wire.vmsas == "at-end") != (wire.vmsa_gpa is not None):
            raise MalformedRecord(f"VMM profile {profile!r}: igvm: VMSAs at the end and vmsa_gpa need each other")
        if wire.other_vmsa_fields == "of-reset-state" and (wire.vmsa_fields is None or wire.vmsa_gpa is None):
            raise MalformedRecord(f"VMM profile {profile!r}: igvm: other_vmsa_fields needs vmsa_fields and vmsa_gpa")
        return cls(
            order=wire.order,
            zero_type=PageType[wire.pages_without_data],
            measures_shared=wire.shared_pages == "NORMAL",
            whole_large_pages=wire.large_pages == "whole",
            whole_areas=wire.parameter_areas == "whole",
            vmsas_at_end=wire.vmsas == "at-end",
            boot_context_only=wire.contexts == "boot-only",
            resets_other_vcpus=wire.vcpus_without_context == "reset-state",
            vmsa_gpa=wire.vmsa_gpa,
            vmsa_fields=None if wire.vmsa_fields is None else frozenset(wire.vmsa_fields),
            refuses_other_fields=wire.vmsa_fields is not None and wire.other_vmsa_fields == "refused",
            vmsa_bits_set=wire.vmsa_bits_set,
            kernel_hashes_gpa=wire.kernel_hashes_gpa,
            ignores_unknown=wire.unknown_headers == "ignored",
            filters_platform=wire.other_platforms == "filtered",
            overlaps_refused=_OVERLAPS_REFUSED[wire.overlaps],
            headers=frozenset(headers),
            data_types=frozenset(data_types),
        )

    @property
    def of_pages(self) -> str:
        """What decides about the pages, as one text: loaders with the same text come to the same state."""
        words = (
            f"order={self.order}",
            f"without-data={self.zero_type.name}",
            f"shared={'NORMAL' if self.measures_shared else 'not-measured'}",
            f"large={'whole' if self.whole_large_pages else 'first-page'}",
            f"areas={'whole' if self.whole_areas else 'first-page'}",
            f"vmsas={'at-end' if self.vmsas_at_end else 'in-order'}",
        )
        return " ".join(words)

    @property
    def of_kernel_page(self) -> str:
        """As `of_pages`, with the address of kernel hashes."""
        return f"{self.of_pages} kernel-hashes={self.kernel_hashes_gpa or 0:#x}"
