"""Joins the builds of one image that know different facts of it, or refuses them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from catalog.errors import MalformedRecord
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent


def joined_builds(builds: Sequence[FirmwareBuild]) -> list[FirmwareBuild]:
    """The builds, each with all facts that are known of its image; raises MalformedRecord if two contradict each other.

    No two images have the same SNP baseline, and none has two.
    """
    facts: dict[bytes, FirmwareComponent] = {}
    for build in builds:
        try:
            known = facts.setdefault(build.component.snp_baseline, build.component)
            facts[build.component.snp_baseline] = known.joined(build.component)
        except MalformedRecord as error:
            raise MalformedRecord(f"{build.name}: another build of the same image has other facts: {error}") from error
    joined = [replace(build, component=facts[build.component.snp_baseline]) for build in builds]
    by_key: dict[bytes, FirmwareComponent] = {}
    for build in joined:
        if by_key.setdefault(build.component.key, build.component) != build.component:
            raise MalformedRecord(f"{build.name}: another build has the same SHA-256 and other facts")
    return joined
