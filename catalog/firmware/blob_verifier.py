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
from catalog.errors import MalformedFirmware
from catalog.firmware.lzma_sections import UNPACKED_LIMIT, lzma_sections, unpack, unpacked_size


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


def kernel_hashes_enforcement(image: bytes) -> Enforcement:
    """YES if a compressed volume holds the verifier, NO if all volumes unpack and none holds it, else UNKNOWN.

    Takes the memory of the decoder, at most DICTIONARY_LIMIT, and unpacks at most UNPACKED_LIMIT bytes.
    """
    found, left = Enforcement(Enforced.UNKNOWN, "the image has no LZMA-compressed volume"), UNPACKED_LIMIT
    for packed in lzma_sections(image):
        try:
            if _unpacks_to(packed, KERNEL_GUID, limit=left):
                return Enforcement(Enforced.YES)
        except MalformedFirmware as error:
            return Enforcement(Enforced.UNKNOWN, str(error))
        found, left = Enforcement(Enforced.NO), left - unpacked_size(packed)
    return found


def _unpacks_to(packed: bytes, needle: bytes, *, limit: int) -> bool:
    """Whether an LZMA_ALONE stream holds `needle`; raises MalformedFirmware as `unpack`."""
    tail, found = b"", False
    for part in unpack(packed, limit=limit):
        found = found or needle in tail + part
        tail = (tail + part)[1 - len(needle) :]
    return found
