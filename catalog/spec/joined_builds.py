"""Joins the builds of one image that know different facts of it, or refuses them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from catalog.errors import MalformedRecord
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.launch_image import LaunchImage


def joined_builds(builds: Sequence[FirmwareBuild]) -> list[FirmwareBuild]:
    """The builds, each with all facts that are known of its image; raises MalformedRecord if two contradict each other.

    No two images have the same SNP baseline, and none has two.
    """
    facts: dict[bytes, FirmwareComponent] = {}
    for build in (build for build in builds if not build.is_igvm):
        known = facts.setdefault(build.image.snp_baseline, build.image)
        try:
            facts[build.image.snp_baseline] = known.joined(build.image)
        except MalformedRecord as error:
            raise MalformedRecord(f"{build.name}: another build of the same image has other facts: {error}") from error
    joined = [build if build.is_igvm else replace(build, component=facts[build.image.snp_baseline]) for build in builds]
    by_key: dict[bytes, LaunchImage] = {}
    for build in joined:
        if by_key.setdefault(build.component.key, build.component) != build.component:
            raise MalformedRecord(f"{build.name}: another build has the same SHA-256 and other facts")
    return joined
