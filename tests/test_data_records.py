"""The records of data/: canonical, complete and consistent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.kernel_record import KernelRecord
from tools.debian_packages import Package
from tools.debian_records import DATA, read_records

FIRMWARE = sorted((DATA / "firmware").glob("*.toml"))
KERNELS = sorted((DATA / "kernel_hashes").glob("*.toml"))

TECHNOLOGIES = {"sev", "sev-es", "sev-snp"}
IMPOSSIBLE: Mapping[str, Callable[[FirmwareComponent], bool]] = {
    "sev-es": lambda component: not component.reset_vector,
    "sev-snp": lambda component: component.metadata_fault is not None,
}
"""For each technology, whether no VMM can launch a component under it."""


def stem(file: Path) -> str:
    return file.name.removesuffix(".toml")


def build_of(file: Path) -> FirmwareBuild:
    return FirmwareBuild.parse(file.read_text(encoding="utf-8"))


def kernel_of(file: Path) -> KernelRecord:
    return KernelRecord.parse(file.read_text(encoding="utf-8"))


def test_there_are_31_firmware_records_and_4_kernel_records() -> None:
    assert (len(FIRMWARE), len(KERNELS)) == (31, 4)


@pytest.mark.parametrize("file", FIRMWARE, ids=stem)
class TestFirmwareRecord:
    def test_is_canonical_text(self, file: Path) -> None:
        assert build_of(file).to_toml() == file.read_text(encoding="utf-8")

    def test_is_named_after_its_file_and_its_origin(self, file: Path) -> None:
        build = build_of(file)
        assert build.origin is not None
        assert build.name.replace("/", "_") == stem(file)
        assert build.name == f"{build.origin.suite}/{build.origin.package}/{Path(build.origin.path).name}"

    def test_has_launchability_for_each_technology(self, file: Path) -> None:
        launchable = build_of(file).launchable
        assert set(launchable) == TECHNOLOGIES
        for entry in launchable.values():
            assert entry.source
            assert entry.reason[0].islower() or entry.reason.startswith(("pflash", "SEV"))
            assert not entry.reason.endswith(".")
            assert "\n" not in entry.reason

    def test_has_no_for_technologies_that_cannot_launch_the_image(self, file: Path) -> None:
        build = build_of(file)
        for technology, impossible in IMPOSSIBLE.items():
            if impossible(build.component):
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
    assert len({build.component.sha256 for build in builds}) == len(builds)


def test_records_of_one_package_have_the_same_source() -> None:
    hashes: dict[Package, set[str]] = {}
    for one in read_records():
        hashes.setdefault(one.package, set()).add(one.package_sha256)
    assert {len(found) for found in hashes.values()} == {1}


def test_only_one_build_launches_everywhere() -> None:
    everywhere = [
        build.name
        for build in map(build_of, FIRMWARE)
        if {entry.verdict for entry in build.launchable.values()} == {"yes"}
    ]
    assert everywhere == ["sid/ovmf-amdsev/OVMF.amdsev.fd"]


@pytest.mark.parametrize("file", KERNELS, ids=stem)
class TestKernelRecord:
    def test_parses_and_is_named_after_its_file(self, file: Path) -> None:
        assert kernel_of(file).name == stem(file)

    def test_every_blob_has_its_place_of_publication(self, file: Path) -> None:
        wire = kernel_of(file).wire
        for blob in filter(None, (wire.kernel, wire.initrd)):
            assert None not in [getattr(blob, name) for name in blob.__struct_fields__]
