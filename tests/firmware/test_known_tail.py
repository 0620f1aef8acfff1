"""Unknown images that end with a known one: which, how much of them, and whether the rest is a variable store."""

from __future__ import annotations

import pytest

from catalog.firmware import known_tail
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.known_tail import KnownTail, known_tails, variable_store_size
from catalog.firmware.ovmf import OvmfImage
from tests.support.firmware_builder import PAGE, build_ovmf, variable_store

CODE = build_ovmf(pages=4)
STORE = variable_store(2 * PAGE)


def build(name: str, image: bytes) -> FirmwareBuild:
    return FirmwareBuild(name, FirmwareComponent.from_image(OvmfImage.parse(image)), None, {})


BUILDS = [build("code", CODE), build("combined", STORE + CODE), build("other", build_ovmf(pages=4, seed=1))]


def test_a_known_image_at_the_end_is_found_by_its_hash() -> None:
    assert known_tails(bytes(PAGE) + CODE, BUILDS) == [KnownTail(4 * PAGE, ("code",))]
    assert known_tails(CODE + bytes(PAGE), BUILDS) == []
    changed = bytearray(bytes(PAGE) + CODE)
    changed[PAGE] ^= 1
    assert known_tails(bytes(changed), BUILDS) == []


def test_the_longest_tail_comes_first_and_all_its_names_are_given() -> None:
    builds = [build("z", CODE), *BUILDS]
    expected = [KnownTail(6 * PAGE, ("combined",)), KnownTail(4 * PAGE, ("code", "z"))]
    assert known_tails(bytes(PAGE) + STORE + CODE, builds) == expected


def test_an_image_is_no_tail_of_itself() -> None:
    assert known_tails(CODE, BUILDS) == []


def test_a_bounded_number_of_bytes_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest tails first: those of 39, 38 and 4 pages."""
    builds = [*BUILDS[:1], build("38", build_ovmf(pages=38)), build("39", build_ovmf(pages=39))]
    image = bytes(46 * PAGE) + CODE
    monkeypatch.setattr(known_tail, "HASHED_LIMIT", 81 * PAGE)
    assert known_tails(image, builds) == [KnownTail(4 * PAGE, ("code",))]
    monkeypatch.setattr(known_tail, "HASHED_LIMIT", 80 * PAGE)
    assert known_tails(image, builds) == []


def test_the_variable_store_is_what_its_volume_header_says() -> None:
    assert variable_store_size(STORE + CODE) == 2 * PAGE
    assert variable_store_size(CODE) is None
    assert variable_store_size(STORE) is None  # nothing follows: no combined image
    assert variable_store_size(b"") is None


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0x10, bytes(16)),
        (0x28, b"_FVX"),
        (0x20, bytes(8)),
        (0x20, (0x37).to_bytes(8, "little")),
        (0x20, len(STORE + CODE).to_bytes(8, "little")),
        (0x20, b"\xff" * 8),
    ],
)
def test_a_header_with_a_wrong_field_is_no_variable_store(at: int, value: bytes) -> None:
    image = bytearray(STORE + CODE)
    image[at : at + len(value)] = value
    assert variable_store_size(bytes(image)) is None
