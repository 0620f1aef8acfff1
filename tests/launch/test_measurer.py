"""`Measurer` gives the same digests as `measure`, which defines them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import CannotLaunch
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.chain import fold_chain
from catalog.launch.hashing.backends import choose, sha256_implementations
from catalog.launch.point import Point, VcpuPoint
from catalog.launch.technology import Measurer, Technology, measure, technologies
from tests.support.firmware_builder import build_ovmf
from tests.support.strategies import images, points
from tests.support.tdvf_builder import build_tdvf

ALL = [pytest.param(technology, id=name) for name, technology in technologies().items()]
WITH_VCPUS = [t for t in technologies().values() if t.point_type is VcpuPoint]
FIRMWARES = (images() | st.sampled_from(range(3)).map(lambda seed: build_tdvf(ovmf={"seed": seed}))).map(
    lambda data: FirmwareComponent.from_image(OvmfImage.parse(data))
)


def defined(technology: Technology, firmware: FirmwareComponent, point: Point) -> str:
    """The digest by `measure`, or why the point cannot launch."""
    try:
        return measure(technology, firmware, point).hex()
    except CannotLaunch as error:
        return str(error)


@pytest.mark.no_cover
@pytest.mark.parametrize("technology", ALL)
@given(data=st.data())
def test_a_measurer_gives_the_same_digests_as_measure(technology: Technology, data: st.DataObject) -> None:
    firmware = data.draw(FIRMWARES)
    measurer = Measurer(technology, firmware)
    for point in data.draw(st.lists(points(technology), max_size=12)):
        try:
            digest = measurer.measure(point).hex()
        except CannotLaunch as error:
            digest = str(error)
        assert digest == defined(technology, firmware, point)


@settings(max_examples=25)  # each of up to 8 points and 4 counts, for each implementation
@pytest.mark.parametrize("path", sha256_implementations())
@pytest.mark.parametrize("technology", WITH_VCPUS)
@given(data=st.data())
def test_chains_give_the_same_digests_as_measure(technology: Technology, path: str, data: st.DataObject) -> None:
    firmware = data.draw(FIRMWARES)
    launchable = points(technology).filter(lambda point: technology.launch_blocker(firmware, point) is None)
    chosen = data.draw(st.lists(launchable, min_size=1, max_size=8))
    counts = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True).map(sorted))
    measurer = Measurer(technology, firmware)
    chains = [measurer.chain(point) for point in chosen if isinstance(point, VcpuPoint)]
    made = technology.fold_chains(chains, counts, choose(path))
    assert made == [fold_chain(technology, chain, counts) for chain in chains]
    for point, digests in zip(chosen, made, strict=True):
        assert isinstance(point, VcpuPoint)
        defined = [measure(technology, firmware, replace(point, vcpus=count)).value for count in counts]
        assert digests == b"".join(defined)


@pytest.mark.no_cover
@pytest.mark.parametrize("technology", ALL)
@given(data=st.data())
def test_a_measurer_of_an_old_image_gives_the_same_digests_as_measure(
    technology: Technology, data: st.DataObject
) -> None:
    image = build_ovmf(standalone_reset_block=True, seed=data.draw(st.integers(0, 3)))
    firmware = FirmwareComponent.from_image(OvmfImage.parse(image))
    chosen = data.draw(st.lists(points(technology), max_size=5))
    launchable = [point for point in chosen if technology.launch_blocker(firmware, point) is None]
    measurer = Measurer(technology, firmware)
    for point in launchable:
        assert measurer.measure(point).hex() == defined(technology, firmware, point)


@pytest.mark.no_cover
@pytest.mark.parametrize("technology", ALL)
def test_points_of_every_technology_can_be_launched(technology: Technology) -> None:
    """The comparisons above are not vacuous: a point that can launch is found at once."""
    found: list[Point] = []

    @given(FIRMWARES, points(technology))
    def look(firmware: FirmwareComponent, point: Point) -> None:
        if technology.launch_blocker(firmware, point) is None:
            found.append(point)

    look()
    assert len(found) > 10
