"""Technologies: discovery, names and common rules; and the Measurer on sequences of points."""

from __future__ import annotations

import itertools
from dataclasses import is_dataclass

import pytest

from catalog.errors import CannotLaunch, UnknownName
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.point import MAX_VCPUS, FirmwarePoint
from catalog.launch.technology import Measurer, Technology, measure, technologies, technology_named
from tests.support.firmware_builder import AMDSEV_AREA, AMDSEV_SECTIONS, build_ovmf
from tests.support.profiles import HASHES, a_point
from tests.support.tdvf_builder import build_tdvf

FIRMWARE = FirmwareComponent.from_image(
    OvmfImage.parse(build_tdvf(ovmf={"hashes_area": AMDSEV_AREA, "sections": AMDSEV_SECTIONS}))
)
BARE = FirmwareComponent.from_image(OvmfImage.parse(build_ovmf(reset_vector=None)))
ALL = [pytest.param(technology, id=name) for name, technology in technologies().items()]


def test_technologies_are_found_in_their_folder_in_the_order_of_names() -> None:
    assert list(technologies()) == ["sev", "sev-es", "sev-snp", "tdx"]
    for name, technology in technologies().items():
        assert technology.name == name
        assert technology.title
        assert is_dataclass(technology.point_type)
        assert technology_named(name) is technology


def test_what_a_digest_depends_on() -> None:
    assert [name for name, technology in technologies().items() if technology.measures_vmm] == [
        "sev-es",
        "sev-snp",
        "tdx",
    ]
    assert technologies()["tdx"].measured_fields == {"vmm"}


def test_an_unknown_technology_suggests_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="unknown technology 'snp'") as caught:
        technology_named("snp")
    assert "sev-snp" in str(caught.value.hint)


@pytest.mark.parametrize("technology", ALL)
def test_configurations_that_can_launch_have_no_blocker(technology: Technology) -> None:
    assert technology.firmware_blocker(FIRMWARE) is None
    hashes = HASHES if technology.takes_kernel_hashes else None
    assert technology.launch_blocker(FIRMWARE, a_point(technology, kernel_hashes=hashes)) is None


@pytest.mark.parametrize("technology", ALL)
def test_a_build_without_an_area_takes_no_hashes(technology: Technology) -> None:
    with pytest.raises(CannotLaunch, match=f"{technology.name} cannot launch this: "):
        measure(technology, BARE, a_point(technology, kernel_hashes=HASHES))
    with pytest.raises(CannotLaunch, match=f"{technology.name} cannot launch this: "):
        Measurer(technology, BARE).measure(a_point(technology, kernel_hashes=HASHES))


def test_a_measurer_can_be_used_after_a_point_that_cannot_launch() -> None:
    technology = technologies()["sev-es"]
    measurer = Measurer(technology, FIRMWARE)
    points = [a_point(technology, vcpus=count) for count in (3, 4)]
    first = measurer.measure(points[0])
    with pytest.raises(CannotLaunch):
        measurer.measure(a_point(technology, sev_features=1))
    assert measurer.measure(points[1]) == measure(technology, FIRMWARE, points[1])
    assert measurer.measure(points[0]) == first


@pytest.mark.parametrize("name", ["sev-es", "sev-snp"])
@pytest.mark.parametrize("counts", [(1, 2, 3), (5, 1, 3, 1, 5), (40, 1, 40), (3, 3), (2, 1, 2, 7)])
def test_vcpu_counts_in_any_order(name: str, counts: tuple[int, ...]) -> None:
    technology = technologies()[name]
    points = [a_point(technology, vcpus=count, kernel_hashes=hashes) for count in counts for hashes in (HASHES, None)]
    measurer = Measurer(technology, FIRMWARE)
    for point in points:
        assert measurer.measure(point) == measure(technology, FIRMWARE, point)


def test_the_largest_guest_and_back() -> None:
    technology = technologies()["sev-snp"]
    measurer = Measurer(technology, FIRMWARE)
    for count in (MAX_VCPUS, 1, MAX_VCPUS):
        point = a_point(technology, vcpus=count)
        assert measurer.measure(point) == measure(technology, FIRMWARE, point)


def test_each_further_vcpu_costs_one_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The prefix is shared: 200 counts of one guest hash as many pages as the largest guest has."""
    technology = technologies()["sev-snp"]
    extended = 0
    extend = technology.extend

    def counting(state: bytes, update: object) -> object:
        nonlocal extended
        extended += 1
        return extend(state, update)  # type: ignore[arg-type]

    monkeypatch.setattr(type(technology), "extend", staticmethod(counting))
    measurer = Measurer(technology, FIRMWARE)
    for count in range(1, 201):
        measurer.measure(a_point(technology, vcpus=count))
    assert extended == len(AMDSEV_SECTIONS) + 200


@pytest.mark.parametrize("technology", ALL)
def test_launch_blockers_depend_only_on_the_declared_sev_features(technology: Technology) -> None:
    if technology.point_type is FirmwarePoint:
        assert technology.judged_features == 0
        return
    for firmware, features, table in itertools.product((FIRMWARE, BARE), (0, 1), (None, HASHES)):
        refused = technology.launch_blocker(firmware, a_point(technology, kernel_hashes=table, sev_features=features))
        for bit in (bit for bit in range(64) if not technology.judged_features >> bit & 1):
            point = a_point(technology, kernel_hashes=table, sev_features=features | 1 << bit, vcpus=1 + bit)
            assert (technology.launch_blocker(firmware, point) is None) == (refused is None)
