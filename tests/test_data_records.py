"""The records of data/: canonical, complete and consistent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from catalog.firmware.blob_verifier import Enforced
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.kernel_record import KernelRecord
from catalog.firmware.tdx.tdx_facts import MACHINES
from catalog.launch.launchability import launchability
from tests.support.profiles import PROFILES
from tools.debian_packages import Package
from tools.debian_records import DATA, read_records

FIRMWARE = sorted((DATA / "firmware").glob("*.toml"))
KERNELS = sorted((DATA / "kernel_hashes").glob("*.toml"))

TECHNOLOGIES = {"sev", "sev-es", "sev-snp", "tdx"}
IMPOSSIBLE: Mapping[str, Callable[[FirmwareComponent], bool]] = {
    "sev-es": lambda component: not component.reset_vector,
    "sev-snp": lambda component: component.metadata_fault is not None,
    "tdx": lambda component: component.tdx is None or component.tdx.fault is not None,
}
"""For each technology, whether no VMM can launch a component under it."""


def stem(file: Path) -> str:
    return file.name.removesuffix(".toml")


def build_of(file: Path) -> FirmwareBuild:
    return FirmwareBuild.parse(file.read_text(encoding="utf-8"))


def kernel_of(file: Path) -> KernelRecord:
    return KernelRecord.parse(file.read_text(encoding="utf-8"))


def distribution(file: Path) -> str:
    origin = build_of(file).origin
    return (origin and origin.distribution) or ""


DEBIAN = [file for file in FIRMWARE if distribution(file) == "debian"]
PLATFORMS = [file for file in FIRMWARE if file not in DEBIAN]


def test_there_are_records_of_debian_and_of_platforms() -> None:
    assert Counter(map(distribution, FIRMWARE)) == {
        "debian": 31,
        "aws-ec2": 2,
        "dstack": 1,
        "hyperbeam": 1,
        "secretvm": 1,
    }
    assert Counter(kernel_of(file).wire.kernel.distribution for file in KERNELS) == {
        "debian": 4,
        "dstack": 1,
        "hyperbeam": 8,
        "secretvm": 1,
    }


@pytest.mark.parametrize("file", FIRMWARE, ids=stem)
def test_a_firmware_record_is_canonical_text(file: Path) -> None:
    assert build_of(file).to_toml() == file.read_text(encoding="utf-8")
    assert build_of(file).name.replace("/", "_") == stem(file)


@pytest.mark.parametrize("file", PLATFORMS, ids=stem)
class TestFirmwareOfAPlatform:
    def test_is_named_after_its_platform_and_says_where_it_was_published(self, file: Path) -> None:
        build = build_of(file)
        assert build.origin is not None
        assert build.name.startswith(f"{build.origin.distribution}/")
        assert re.fullmatch("[0-9a-f]{40}", build.origin.version or "")
        assert (build.origin.suite, build.origin.package_sha256) == (None, None)

    def test_knows_what_sev_snp_needs_and_no_file_hash(self, file: Path) -> None:
        component = build_of(file).image
        assert (component.sha256, component.sha384, component.size, component.sha256_midstate) == (None,) * 4
        assert component.reset_vector == 0x80B004
        assert component.sections
        assert component.kernel_hashes_enforced is Enforced.UNKNOWN

    def test_says_what_was_launched_with_it(self, file: Path) -> None:
        launchable = build_of(file).launchable
        assert set(launchable) == {"sev-snp"}
        assert launchable["sev-snp"].source

    def test_only_amazons_builds_are_of_a_hosted_vmm(self, file: Path) -> None:
        build = build_of(file)
        verdicts = {name: launchability(build, "sev-snp", profile).verdict for name, profile in PROFILES.items()}
        hosted = {name for name, profile in PROFILES.items() if profile.wire.hosted == distribution(file)}
        assert hosted == ({"ec2-2023", "ec2-2026"} if distribution(file) == "aws-ec2" else set())
        assert all(verdicts[name] == build.launchability("sev-snp").verdict for name in hosted)
        assert verdicts["gce-v1"] == "no"


def test_a_code_file_has_the_mrtds_of_every_image_with_its_code() -> None:
    images = [build_of(file).image for file in DEBIAN]
    by_sha256 = {one.sha256: one.tdx for one in images}
    pairs = [(one.tdx, by_sha256[one.code.sha256]) for one in images if one.code and one.code.sha256 in by_sha256]
    assert len(pairs) >= 6
    for combined, code in pairs:
        assert combined is not None
        assert code is not None
        assert combined.agrees_with(code)
        assert combined.mrtd.keys() - code.mrtd.keys() in (set(), set(MACHINES))


@pytest.mark.parametrize("file", DEBIAN, ids=stem)
class TestFirmwareOfDebian:
    def test_is_named_after_its_file_and_its_origin(self, file: Path) -> None:
        build = build_of(file)
        assert build.origin is not None
        assert build.name == f"{build.origin.suite}/{build.origin.package}/{Path(build.origin.path or '').name}"

    def test_has_launchability_for_each_technology(self, file: Path) -> None:
        launchable = build_of(file).launchable
        assert set(launchable) == TECHNOLOGIES
        for entry in launchable.values():
            assert entry.source
            assert entry.reason[0].islower() or entry.reason.startswith(("pflash", "SEV", "TDVF"))
            assert not entry.reason.endswith(".")
            assert "\n" not in entry.reason

    def test_has_no_for_technologies_that_cannot_launch_the_image(self, file: Path) -> None:
        build = build_of(file)
        for technology, impossible in IMPOSSIBLE.items():
            if impossible(build.image):
                assert build.launchability(technology).verdict == "no"

    def test_source_names_its_package(self, file: Path) -> None:
        build = build_of(file)
        assert build.origin is not None
        for entry in build.launchable.values():
            if "README" in entry.source or ".json" in entry.source:
                assert f"{build.origin.package} {build.origin.version}, " in entry.source


def test_no_two_firmware_records_are_the_same_image() -> None:
    builds = [build_of(file) for file in FIRMWARE]
    assert len({build.name for build in builds}) == len(builds)
    assert len({build.image.key for build in builds}) == len(builds)


def test_records_of_one_package_have_the_same_source() -> None:
    hashes: dict[Package, set[str]] = {}
    for one in read_records():
        hashes.setdefault(one.package, set()).add(one.package_sha256)
    assert {len(found) for found in hashes.values()} == {1}


def test_one_build_launches_under_every_technology_of_amd_and_one_as_a_td() -> None:
    yes = {
        build.name: {technology for technology, entry in build.launchable.items() if entry.verdict == "yes"}
        for build in map(build_of, DEBIAN)
    }
    assert [name for name, those in yes.items() if len(those) == 3] == ["sid/ovmf-amdsev/OVMF.amdsev.fd"]
    assert [name for name, those in yes.items() if "tdx" in those] == ["sid/ovmf-inteltdx/OVMF.inteltdx.ms.fd"]
    assert yes["sid/ovmf-inteltdx/OVMF.inteltdx.ms.fd"] == {"tdx"}


@pytest.mark.parametrize("file", KERNELS, ids=stem)
class TestKernelRecord:
    def test_parses_and_is_named_after_its_file(self, file: Path) -> None:
        assert kernel_of(file).name.replace("/", "_") == stem(file)

    def test_every_blob_has_its_place_of_publication(self, file: Path) -> None:
        wire = kernel_of(file).wire
        for blob in filter(None, (wire.kernel, wire.initrd)):
            expected = blob.__struct_fields__
            if blob.distribution != "debian":
                expected = ("sha256", "distribution", "package", "version", "path")
            given = [name for name in blob.__struct_fields__ if getattr(blob, name) is not None]
            assert tuple(given) == tuple(expected)
