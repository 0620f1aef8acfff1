"""Whether a build enforces kernel hashes: whether the blob verifier is linked into its compressed volume.

A build may advertise the kernel hashes area and link BlobVerifierLibNull: then the launch digest covers the hashes, but
the firmware boots any kernel that the host passes. AMD's OvmfX64 debug build did so in 2022, all generic builds of edk2
do so since 2025.
Source: edk2 OvmfPkg/AmdSev/BlobVerifierLibSevHashes (the kernel entry GUID is in its code).
"""

from __future__ import annotations

from catalog.abi.kernel_table import KERNEL_GUID
from catalog.errors import MalformedFirmware
from catalog.firmware.lzma_sections import UNPACKED_LIMIT, lzma_sections, unpack, unpacked_size
from catalog.values import StrEnum, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Enforced(StrEnum):
    """Whether the firmware refuses a kernel that differs from the measured kernel hashes."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Enforcement(Value):
    """What an image says about enforcing kernel hashes.

    enforced: YES means that a verifier is linked, not that it works (edk2 before pull request 5769 did not halt on an
        invalid blob).
    why_unknown: why UNKNOWN; None otherwise.
    is_damaged: whether a volume that was read does not unpack.
    """

    enforced: Enforced
    why_unknown: str | None = None
    is_damaged: bool = False


def enforcement_in(image: bytes, feed: Callable[[bytes], None] | None = None) -> Enforcement:
    """YES if a compressed volume holds the blob verifier, NO if all volumes unpack and none holds it, else UNKNOWN.

    A volume that is damaged behind the verifier holds it all the same; firmware that does not unpack boots nothing.

    Memory: that of the decoder, at most DICTIONARY_LIMIT. Unpacks at most UNPACKED_LIMIT bytes.

    feed: gets what is unpacked, part by part. Without it, nothing is unpacked behind the verifier.
    """
    enforcement, left = Enforcement(Enforced.UNKNOWN, "the image has no LZMA-compressed volume"), UNPACKED_LIMIT
    for packed in lzma_sections(image):
        found, tail = False, b""
        try:
            for part in unpack(packed, limit=left):
                found = found or KERNEL_GUID in tail + part
                tail = (tail + part)[1 - len(KERNEL_GUID) :]
                if feed:
                    feed(part)
                elif found:
                    break
        except MalformedFirmware as error:
            if found:
                return Enforcement(Enforced.YES, is_damaged=True)
            return Enforcement(Enforced.UNKNOWN, str(error), is_damaged=True)
        left -= unpacked_size(packed)
        enforcement = Enforcement(Enforced.YES if found else Enforced.NO)
        if found:
            break
    return enforcement
