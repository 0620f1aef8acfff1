"""A hosted VMM launches builds of its own platform only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog.firmware.build import NOT_RECORDED, FirmwareBuild, OriginWire
from catalog.launch.hosted import hosted_verdict
from catalog.launch.launchability import launchability
from tests.support.profiles import DATA, PROFILES

DEBIAN = FirmwareBuild.parse(
    (DATA / "firmware/sid_ovmf-amdsev_OVMF.amdsev.fd.toml").read_text(encoding="utf-8"),
)
HOSTED = {name: profile.wire.hosted for name, profile in PROFILES.items() if profile.wire.hosted}


def published_by(distribution: str) -> FirmwareBuild:
    assert DEBIAN.origin is not None
    fields = {name: getattr(DEBIAN.origin, name) for name in OriginWire.__struct_fields__}
    return replace(DEBIAN, origin=OriginWire(**{**fields, "distribution": distribution}))


def test_the_profiles_of_two_platforms_are_hosted() -> None:
    assert HOSTED == {"ec2-2023": "aws-ec2", "ec2-2026": "aws-ec2", "gce-v1": "google-gce"}


@pytest.mark.parametrize(("name", "platform"), HOSTED.items())
def test_a_hosted_vmm_does_not_launch_builds_of_others(name: str, platform: str) -> None:
    profile = PROFILES[name]
    for build in (DEBIAN, replace(DEBIAN, origin=None), published_by("someone")):
        found = launchability(build, "sev-snp", profile)
        assert found.verdict == "no"
        assert (found.reason, found.source) == (f"{platform} launches its own firmware only", f"VMM profile {name}")


@pytest.mark.parametrize(("name", "platform"), HOSTED.items())
def test_what_is_recorded_of_the_platforms_own_builds_counts(name: str, platform: str) -> None:
    own = published_by(platform)
    assert launchability(own, "sev-snp", PROFILES[name]) == DEBIAN.launchability("sev-snp")
    assert launchability(own, "cca", PROFILES[name]) is NOT_RECORDED


@pytest.mark.parametrize("vmm", [None, *(profile for name, profile in PROFILES.items() if name not in HOSTED)])
def test_other_vmms_change_nothing(vmm: object) -> None:
    assert launchability(DEBIAN, "sev-snp", vmm) is DEBIAN.launchability("sev-snp")  # type: ignore[arg-type]


def test_a_launch_without_a_vmm_or_a_platform_has_no_verdict_of_its_own() -> None:
    assert hosted_verdict(None, None, "debian") is None
    assert hosted_verdict("qemu-kvm-init2", None, None) is None
