"""Finds builds by name, by SHA-256, or by the path of an image or a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from catalog.errors import MalformedRecord, UnknownName, Unreadable, UsageError
from catalog.files.inputs import exists, hash_file, read_text
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.tdx.tdx_record import parse_facts
from catalog.notes import Note
from catalog.spec import embedded
from catalog.spec.igvm_files import component_of, read_igvm
from catalog.spec.image_files import read_image, split_reference


def build_of_file(path: Path, name: str | None = None) -> FirmwareBuild:
    """A build from an image, or from a record (a file ending in .toml) without the image.

    path: of a record, or FILE or PACKAGE:PATH of an image.
    name: of the build, for an image; its path by default.

    An image of an embedded build gets that build's origin and launchability. Raises MalformedRecord and the errors of
    `read_image`.
    """
    if path.suffix == ".toml":
        return build_of_record(read_text(path))
    file = read_image(str(path))
    build = build_of_image(file.image, str(path), file.notes)
    return build if name is None else replace(build, name=name)


def any_build_of_file(path: Path, name: str) -> FirmwareBuild:
    """A build from an image, an IGVM file or a record. path, name, errors: as `build_of_file`.

    Of an IGVM file its component has what launches under every embedded loader need.
    """
    opened = read_igvm(str(path))
    return build_of_file(path, name) if opened is None else FirmwareBuild(name, component_of(opened), None, {})


@lru_cache(maxsize=256)
def build_of_record(text: str, tdx: str | None = None, *, bare: bool = False) -> FirmwareBuild:
    """A build from its record; raises MalformedRecord if it is invalid or contradicts an embedded record of its image.

    tdx: its TDX facts as JSON. bare: the record has none, as one of a catalog: they are in a file of their own.

    The same text is the same build: most releases of a log have the same ones, and TOML is slow to read.
    A record that knows fewer facts of such an image gets the others from the embedded record. Facts about other images
    cannot be checked without the images; a record of one needs sections and reset vector, unless it was made from the
    whole image.
    """
    images = {known.image.snp_baseline: known.image for known in embedded.builds().values()}
    build = FirmwareBuild.parse(text, images)
    if build.is_igvm:
        return build
    if bare and build.image.tdx is not None:
        raise MalformedRecord(f"the record of {build.name} has TDX facts, which belong into tdx/firmware.parquet")
    if tdx is not None:
        build = build.with_tdx(parse_facts(tdx, f"TDX facts of {build.name!r}"))
    for known in embedded.builds().values():
        if known.image.key == build.image.key or known.image.snp_baseline == build.image.snp_baseline:
            if found := build.image.contradictions(known.image):
                where = f"the record of {build.name} contradicts {known.name}, which has the same image"
                raise MalformedRecord(f"{where}: {', '.join(found)}")
            return replace(build, component=known.image.joined(build.image))
    return build


def build_of_image(image: OvmfImage, name: str, notes: tuple[Note, ...] = ()) -> FirmwareBuild:
    """The embedded build of an image if there is one, else a build of that name; raises Unreadable for a bad name."""
    if any(0xD800 <= ord(character) <= 0xDFFF for character in name):
        raise Unreadable(f"{name!r} is not a UTF-8 name", "rename the file")
    component = FirmwareComponent.from_image(image)
    bare = replace(component, tdx=None)  # which takes long to compare: MRTDs are computed when they are asked for
    for build in embedded.builds().values():
        if build.component.sha256 == component.sha256 and replace(build.image, tdx=None) == bare:
            return replace(build, notes=notes)
    return FirmwareBuild(name, component, None, {}, notes)


def find_build(reference: str, builds: Mapping[str, FirmwareBuild]) -> FirmwareBuild:
    """The build with a name, a SHA-256 in hex, or the path of an image or record (as `read_image`), in this order.

    Raises UnknownName if it is none of these, UsageError if it is both a name and a file with other contents, and as
    `build_of_file`.
    """
    path = Path(reference)
    if reference in builds:
        build = builds[reference]
        if exists(path) and hash_file(path) != build.component.sha256:
            raise UsageError(
                f"{reference} is both the name of a build and a file here with other contents",
                f"give ./{reference} for the file, or the SHA-256 for the build",
            )
        return build
    wanted = reference.lower()
    for build in builds.values():
        if build.component.key.hex() == wanted:
            return build
    if exists(split_reference(reference)[0]) or reference.startswith(("/", "./", "../")):
        return build_of_file(path)
    raise UnknownName("build or firmware file", reference, builds)
