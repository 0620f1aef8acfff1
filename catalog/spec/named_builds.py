"""Builds that people name: by an embedded name, by SHA-256, or by the file of an image or a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from catalog.errors import MalformedRecord, UnknownName, Unreadable, UsageError
from catalog.files.inputs import exists, hash_file, read_file, read_text
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import MAX_IMAGE_SIZE, OvmfImage
from catalog.spec import embedded


def read_image(path: Path) -> OvmfImage:
    """Read and parse an image; raises Unreadable or MalformedFirmware."""
    return OvmfImage.parse(read_file(path, limit=MAX_IMAGE_SIZE))


def build_of_file(path: Path, name: str | None = None) -> FirmwareBuild:
    """A build from an image, or from a record (a file ending in .toml) without the image.

    Named as given or by its path. What is recorded about an embedded build with the same component holds for
    this one too. Raises Unreadable, MalformedFirmware or MalformedRecord.
    """
    if path.suffix == ".toml":
        return build_of_record(read_text(path))
    build = build_of_image(read_image(path), str(path))
    return build if name is None else replace(build, name=name)


def build_of_record(text: str) -> FirmwareBuild:
    """A build from its record; raises MalformedRecord, too, where an embedded record of the same image differs.

    Facts of images that are not embedded cannot be checked without them.
    """
    build = FirmwareBuild.parse(text)
    for known in embedded.builds().values():
        if known.component.sha256 == build.component.sha256 and known.component != build.component:
            raise MalformedRecord(f"the record of {build.name} contradicts {known.name}, which is the same image")
    return build


def build_of_image(image: OvmfImage, name: str) -> FirmwareBuild:
    """The embedded build of an image where there is one, else a build of that name; raises Unreadable."""
    if any(0xD800 <= ord(character) <= 0xDFFF for character in name):
        raise Unreadable(f"{name!r} is not a UTF-8 name", "rename the file")
    component = FirmwareComponent.from_image(image)
    for build in embedded.builds().values():
        if build.component == component:
            return build
    return FirmwareBuild(name, component, None, {})


def find_build(reference: str, builds: Mapping[str, FirmwareBuild]) -> FirmwareBuild:
    """The build a person means by a name, a SHA-256 in hex, or the path of an image or record, in this order.

    Raises UnknownName where it is none of them, UsageError where a name is a file with other bytes as well, and
    what reading a file raises.
    """
    path = Path(reference)
    if reference in builds:
        build = builds[reference]
        if exists(path) and hash_file(path) != build.component.sha256:
            raise UsageError(
                f"{reference} is a catalogued build, and a file with other bytes here",
                f"give ./{reference} for the file, or the SHA-256 for the build",
            )
        return build
    wanted = reference.lower()
    for build in builds.values():
        if build.component.sha256.hex() == wanted:
            return build
    if exists(path) or reference.startswith(("/", "./", "../")):
        return build_of_file(path)
    raise UnknownName("build or firmware file", reference, builds)
