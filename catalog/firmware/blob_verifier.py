"""Whether a build enforces kernel hashes: whether the blob verifier is linked into its compressed volume.

A build may advertise the kernel hashes area and link BlobVerifierLibNull: then the launch digest covers the hashes, but
the firmware boots any kernel that the host passes. AMD's OvmfX64 debug build did so in 2022, all generic builds of edk2
do so since 2025.
Source: edk2 OvmfPkg/AmdSev/BlobVerifierLibSevHashes (the kernel entry GUID is in its code).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from catalog.abi.kernel_table import KERNEL_GUID


class Enforced(StrEnum):
    """Whether the firmware refuses a kernel that differs from the measured kernel hashes."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Enforcement:
    """What an image says about enforcing kernel hashes.

    enforced: YES means that a verifier is linked, not that it works (edk2 before pull request 5769 did not halt on an
        invalid blob).
    why_unknown: why UNKNOWN; None otherwise.
    """

    enforced: Enforced
    why_unknown: str | None = None


@dataclass(slots=True)
class VerifierSearch:
    """Searches the contents of a firmware volume, given part by part, for the blob verifier."""

    found: bool = False
    _tail: bytes = b""

    def feed(self, part: bytes) -> None:
        """Take the next part of the contents."""
        self.found = self.found or KERNEL_GUID in self._tail + part
        self._tail = (self._tail + part)[1 - len(KERNEL_GUID) :]
