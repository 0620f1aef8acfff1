"""The quick way gives the digests of the definition: `measure_all` and `Measurer` against `measure`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import CannotLaunch
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.point import Point
from catalog.launch.technology import Measurer, Technology, measure, measure_all, technologies
from tests.firmware_builder import build_ovmf
from tests.launch.strategies import images, points

ALL = [pytest.param(technology, id=name) for name, technology in technologies().items()]
FIRMWARES = images().map(lambda data: FirmwareComponent.from_image(OvmfImage.parse(data)))


def defined(technology: Technology, firmware: FirmwareComponent, point: Point) -> str:
    """The digest by definition, or why there is none."""
    try:
        return measure(technology, firmware, point).hex()
    except CannotLaunch as error:
        return str(error)


@pytest.mark.parametrize("technology", ALL)
@given(data=st.data())
def test_a_measurer_gives_the_digests_of_the_definition(technology: Technology, data: st.DataObject) -> None:
    firmware = data.draw(FIRMWARES)
    measurer = Measurer(technology, firmware)
    for point in data.draw(st.lists(points(technology), max_size=12)):
        try:
            digest = measurer.measure(point).hex()
        except CannotLaunch as error:
            digest = str(error)
        assert digest == defined(technology, firmware, point)


@pytest.mark.parametrize("technology", ALL)
@given(data=st.data())
def test_measure_all_gives_each_point_with_its_digest(technology: Technology, data: st.DataObject) -> None:
    firmware = data.draw(FIRMWARES)
    launchable = points(technology).filter(lambda point: technology.refuses(firmware, point) is None)
    chosen = data.draw(st.lists(launchable, max_size=8))
    measured = list(measure_all(technology, firmware, chosen))
    assert measured == [(point, measure(technology, firmware, point)) for point in chosen]


@pytest.mark.parametrize("technology", ALL)
@given(data=st.data())
def test_a_measurer_of_an_old_image_gives_the_digests_of_the_definition(
    technology: Technology, data: st.DataObject
) -> None:
    image = build_ovmf(standalone_reset_block=True, seed=data.draw(st.integers(0, 3)))
    firmware = FirmwareComponent.from_image(OvmfImage.parse(image))
    chosen = data.draw(st.lists(points(technology), max_size=5))
    launchable = [point for point in chosen if technology.refuses(firmware, point) is None]
    for point, digest in measure_all(technology, firmware, launchable):
        assert digest.hex() == defined(technology, firmware, point)


@pytest.mark.parametrize("technology", ALL)
def test_points_of_every_technology_can_be_launched(technology: Technology) -> None:
    """The comparisons above are not empty: a point that is not refused is found at once."""
    found: list[Point] = []

    @given(FIRMWARES, points(technology))
    def look(firmware: FirmwareComponent, point: Point) -> None:
        if technology.refuses(firmware, point) is None:
            found.append(point)

    look()
    assert len(found) > 10
