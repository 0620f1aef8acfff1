"""What buildigvm puts into an IGVM file after a firmware image: pages for the SEV metadata, in an order of its own.

Source: roy-hopkins/buildigvm at 1fd552b, src/ovmf_firmware.rs.
"""

from __future__ import annotations

from collections.abc import Iterator

from catalog.abi.page_info import PAGE_SIZE, PageType
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.metadata import SectionType
from catalog.launch.profile import SnpLaunchRules
from catalog.launch.update import LaunchUpdate

_ONE_PAGE = (SectionType.SNP_SECRETS, SectionType.SVSM_CAA, SectionType.CPUID)
_MOST_MEMORY = 8


def buildigvm_blocker(firmware: FirmwareComponent) -> str | None:
    """Why buildigvm makes no file of an image, or None."""
    memory = sum(section.kind == SectionType.SNP_SEC_MEM for section in firmware.sections)
    if memory > _MOST_MEMORY:
        return f"buildigvm takes no image with more than {_MOST_MEMORY} memory sections, and this one has {memory}"
    return None


def buildigvm_updates(firmware: FirmwareComponent, rules: SnpLaunchRules) -> Iterator[LaunchUpdate]:
    """A page for each of secrets, CAA and CPUID, at address 0 if the image has no such section; then the memory.

    Of several sections of one of these types the last counts. Other types are passed over.
    """
    last = {section.kind: section.gpa for section in firmware.sections}
    for kind in _ONE_PAGE:
        yield _update(rules, kind, last.get(kind, 0), PAGE_SIZE)
    for section in firmware.sections:
        if section.kind == SectionType.SNP_SEC_MEM:
            yield _update(rules, section.kind, section.gpa, section.size)


def _update(rules: SnpLaunchRules, kind: int, gpa: int, size: int) -> LaunchUpdate:
    page_type = rules.page_types[kind]
    return LaunchUpdate(page_type, gpa, size, bytes(size) if page_type is PageType.NORMAL else b"")
