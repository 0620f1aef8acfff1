"""The SEV-SNP launch digest of one image under one VMM profile, without the classes of a build.

`measure` of technology.py is the definition, and tests/launch/test_plain_snp.py compares both on random launches.
Whatever is not as usual here is measured by the definition alone.
"""

from __future__ import annotations

from catalog.abi.kernel_table import TABLE_SIZE
from catalog.abi.page_info import PAGE_SIZE, PageType, contents_digest, fold, page_info_tail
from catalog.abi.vcpu_start import RESET_EIP, SIGNATURE, SNP_ACTIVE, start_of
from catalog.abi.vmsa_layout import page_of
from catalog.firmware.metadata import SectionType, metadata_fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from catalog.firmware.ovmf import OvmfImage


def is_plain_launch(image: OvmfImage, profile: Mapping[str, Any], *, has_table: bool) -> bool:
    """Whether `plain_snp_digest` gives the digest of this launch.

    profile: the tables of a file of data/vmm/. has_table: whether a kernel hashes table is measured.
    """
    if "sev-snp" not in profile["technologies"] or SIGNATURE not in profile["vmsa"]["registers"].values():
        return False
    if not image.reset_vector or metadata_fault(image.sections, image_gpa=image.gpa, hashes_area=image.hashes_area):
        return False
    if not {section.name for section in image.sections} <= profile["snp"]["page_types"].keys():
        return False
    return not has_table or _takes_table(image, profile)


def _takes_table(image: OvmfImage, profile: Mapping[str, Any]) -> bool:
    """Whether a metadata section is for the page with the table, which `metadata_fault` found to lie in it."""
    area, kinds = image.hashes_area, {section.kind for section in image.sections}
    if area is None or area.size is None or area.size < TABLE_SIZE:
        return False
    return profile["snp"]["kernel_hashes"] == "in-section" and SectionType.SNP_KERNEL_HASHES in kinds


def plain_snp_digest(
    image: OvmfImage,
    baseline: bytes,
    profile: Mapping[str, Any],
    *,
    signature: int,
    vcpus: int,
    table: bytes | None,
) -> bytes:
    """The launch digest, 48 bytes, of a launch for which `is_plain_launch` holds.

    baseline: the digest after the pages of the image. signature: of each vCPU. table: of the kernel hashes, 176 bytes.
    """
    rules, state = profile["snp"], baseline
    sections = list(image.sections)
    if rules["cpuid"] == "after-sections":
        sections.sort(key=lambda section: section.kind == SectionType.CPUID)  # stable
    for section in sections:
        if table and image.hashes_area and section.kind == SectionType.SNP_KERNEL_HASHES:
            page = (bytes(image.hashes_area.gpa % PAGE_SIZE) + table).ljust(PAGE_SIZE, b"\0")
            state = fold(state, page_info_tail(PageType.NORMAL, section.gpa, contents_digest(page)))
            continue
        kind = PageType[rules["page_types"][section.name]]
        for gpa in range(section.gpa, section.end, PAGE_SIZE):
            state = fold(state, page_info_tail(kind, gpa))
    for number in range(vcpus):
        if number < 2:  # all APs have the same VMSA
            eip = image.reset_vector if number else RESET_EIP
            page = _vmsa(profile["vmsa"], eip or 0, signature, bsp=not number)
            tail = page_info_tail(PageType.VMSA, rules["vmsa_gpa"], contents_digest(page))
        state = fold(state, tail)
    return state


def _vmsa(wanted: Mapping[str, Any], eip: int, signature: int, *, bsp: bool) -> bytes:
    """The VMSA page of a vCPU that starts at `eip`."""
    own = wanted.get("bsp", {}).get("segments", {}) if bsp else {}
    segments = {
        name: tuple(fields.get(part, 0) for part in ("selector", "attrib", "limit", "base"))
        for name, fields in {**wanted["segments"], **own}.items()
    }
    base, rip = start_of(eip)
    segments["cs"] = (*segments["cs"][:3], base)
    values = {name: signature if value == SIGNATURE else value for name, value in wanted["registers"].items()}
    return page_of(segments, {**values, "rip": rip, "sev_features": SNP_ACTIVE})
