"""What the compressed volumes of an image say: whether it enforces kernel hashes, and the firmware's version."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.firmware.blob_verifier import Enforcement, enforcement_in
from catalog.firmware.firmware_version import VersionSearch


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
    version = VersionSearch()
    enforcement = enforcement_in(image, version.feed)
    return VolumeContents(enforcement, None if enforcement.is_damaged else version.version())
