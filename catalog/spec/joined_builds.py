"""Joins the builds of one image that know different facts of it, or refuses them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from catalog.errors import MalformedRecord
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.igvm.igvm_component import IgvmComponent
from catalog.firmware.launch_image import LaunchImage


def joined_builds(builds: Sequence[FirmwareBuild]) -> list[FirmwareBuild]:
    """The builds, each with all facts that are known of its image; raises MalformedRecord if two contradict each other.

    No two images have the same SNP baseline, and none has two.
    """
    facts: dict[bytes, LaunchImage] = {}
    for build in builds:
        key, component = _identity(build.component), build.component
        try:
            facts[key] = _joined(facts.get(key, component), component)
        except MalformedRecord as error:
            raise MalformedRecord(f"{build.name}: another build of the same image has other facts: {error}") from error
    joined = [replace(build, component=facts[_identity(build.component)]) for build in builds]
    by_key: dict[bytes, LaunchImage] = {}
    for build in joined:
        if by_key.setdefault(build.component.key, build.component) != build.component:
            raise MalformedRecord(f"{build.name}: another build has the same SHA-256 and other facts")
    return joined


def _identity(image: LaunchImage) -> bytes:
    """What two records of one image, or of one IGVM file, have in common."""
    return image.snp_baseline or image.key


def _joined(known: LaunchImage, other: LaunchImage) -> LaunchImage:
    """Raises MalformedRecord if they contradict each other."""
    if isinstance(known, IgvmComponent):
        return known.joined(other) if isinstance(other, IgvmComponent) else known
    return known if isinstance(other, IgvmComponent) else known.joined(other)
