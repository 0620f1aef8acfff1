"""Unknown images that end with something known: a known image, or the code of one."""

from __future__ import annotations

import pytest

from catalog.firmware import known_tail
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.known_tail import KnownTail, known_tails
from catalog.firmware.ovmf import OvmfImage
from tests.support.firmware_builder import PAGE, build_ovmf, variable_store

CODE = build_ovmf(pages=4)
STORE = variable_store(2 * PAGE)


def build(name: str, image: bytes) -> FirmwareBuild:
    return FirmwareBuild(name, FirmwareComponent.from_image(OvmfImage.parse(image)), None, {})


BUILDS = [build("code", CODE), build("combined", STORE + CODE), build("other", build_ovmf(pages=4, seed=1))]
CODE_TAIL = KnownTail(4 * PAGE, ("code",), ("combined",))


def test_a_known_image_at_the_end_is_found_by_its_hash() -> None:
    assert known_tails(bytes(PAGE) + CODE, BUILDS) == [CODE_TAIL]
    assert known_tails(CODE + bytes(PAGE), BUILDS) == []
    changed = bytearray(bytes(PAGE) + CODE)
    changed[PAGE] ^= 1
    assert known_tails(bytes(changed), BUILDS) == []


def test_the_code_of_a_combined_image_is_known_under_another_variable_store() -> None:
    changed = STORE[:-1] + b"x" + CODE
    assert known_tails(changed, BUILDS[1:]) == [KnownTail(4 * PAGE, (), ("combined",))]
    assert known_tails(CODE, BUILDS[1:]) == [KnownTail(4 * PAGE, (), ("combined",))]


def test_the_longest_tail_comes_first_and_all_its_names_are_given() -> None:
    builds = [build("z", CODE), *BUILDS]
    expected = [KnownTail(6 * PAGE, ("combined",), ()), KnownTail(4 * PAGE, ("code", "z"), ("combined",))]
    assert known_tails(bytes(PAGE) + STORE + CODE, builds) == expected


def test_a_bounded_number_of_bytes_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest tails first: those of 39, 38 and 4 pages."""
    builds = [*BUILDS[:1], build("38", build_ovmf(pages=38)), build("39", build_ovmf(pages=39))]
    image = bytes(46 * PAGE) + CODE
    monkeypatch.setattr(known_tail, "HASHED_LIMIT", 81 * PAGE)
    assert known_tails(image, builds) == [KnownTail(4 * PAGE, ("code",), ())]
    monkeypatch.setattr(known_tail, "HASHED_LIMIT", 80 * PAGE)
    assert known_tails(image, builds) == []
