"""What the compressed volumes of an image say: whether it enforces kernel hashes, and the firmware's version."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.errors import MalformedFirmware
from catalog.firmware.blob_verifier import Enforced, Enforcement, VerifierSearch
from catalog.firmware.firmware_version import VersionSearch
from catalog.firmware.lzma_sections import UNPACKED_LIMIT, lzma_sections, unpack, unpacked_size


@dataclass(frozen=True, slots=True)
class VolumeContents:
    """Facts that are in no table of an image, but in its code.

    enforcement: YES if a volume holds the blob verifier, NO if all volumes unpack and none holds it, else UNKNOWN.
    firmware_version: as in `VersionSearch.version`; None if it is not known.
    """

    enforcement: Enforcement
    firmware_version: str | None


def read_volumes(image: bytes) -> VolumeContents:
    """Unpack the volumes of an image once, in parts.

    Takes the memory of the decoder, at most DICTIONARY_LIMIT, and of one module. Unpacks at most UNPACKED_LIMIT bytes.
    """
    enforcement = Enforcement(Enforced.UNKNOWN, "the image has no LZMA-compressed volume")
    version, left = VersionSearch(), UNPACKED_LIMIT
    for packed in lzma_sections(image):
        verifier = VerifierSearch()
        try:
            for part in unpack(packed, limit=left):
                verifier.feed(part)
                version.feed(part)
        except MalformedFirmware as error:
            return VolumeContents(Enforcement(Enforced.UNKNOWN, str(error)), None)
        left -= unpacked_size(packed)
        enforcement = Enforcement(Enforced.YES if verifier.found else Enforced.NO)
        if verifier.found:
            break
    return VolumeContents(enforcement, version.version())
