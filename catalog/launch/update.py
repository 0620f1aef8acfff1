"""LaunchUpdate and UpdateRun: the ordered list by which a VMM launches a guest; nothing else is measured."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.abi.page_info import PageType


@dataclass(frozen=True, slots=True)
class LaunchUpdate:
    """One range of guest memory that is handed to the secure processor.

    gpa: guest-physical address.
    size: bytes; whole 4096-byte pages under SNP.
    data: the contents if they are measured, else empty (ZERO, UNMEASURED, SECRETS, CPUID).

    Source: KVM_SEV_LAUNCH_UPDATE_DATA, KVM_SEV_SNP_LAUNCH_UPDATE (Linux, amd-memory-encryption.rst).
    """

    page_type: PageType
    gpa: int
    size: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class UpdateRun:
    """Launch updates that always come together, repeated `repeat` times. Launches share prefixes of such runs."""

    updates: tuple[LaunchUpdate, ...]
    repeat: int = 1
