"""Modules in the contents of a volume: found across parts, and only with a valid header."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.firmware.guid import Guid
from catalog.firmware.module_files import MODULE_LIMIT, TRIES_LIMIT, ModuleFinder
from tests.support.module_builder import APPLICATION, module

ONE, OTHER = Guid(bytes(12) + b"\x11\x11\x22\x22"), Guid(bytes(10) + b"\x33\x33\x44\x44\x55\x55")
MODULES = [module(ONE, b"first" * 40), module(OTHER, b"second" * 7, kind=APPLICATION), module(ONE, b"third")]
CONTENTS = b"".join(b"\x90" * gap + found for gap, found in zip((5, 0, 300), MODULES, strict=True)) + ONE.bytes_le


def found(contents: bytes, cuts: list[int] | None = None) -> list[tuple[Guid, bytes]]:
    finder = ModuleFinder((ONE, OTHER))
    edges = [0, *sorted(cuts or []), len(contents)]
    return [one for start, end in itertools.pairwise(edges) for one in finder.feed(contents[start:end])]


EXPECTED = [(ONE, MODULES[0]), (OTHER, MODULES[1]), (ONE, MODULES[2])]


def test_modules_are_found_in_their_order() -> None:
    assert found(CONTENTS) == EXPECTED


@given(st.lists(st.integers(0, len(CONTENTS)), max_size=30))
def test_modules_are_found_however_the_contents_are_cut(cuts: list[int]) -> None:
    assert found(CONTENTS, cuts) == EXPECTED


def test_a_guid_without_a_valid_header_is_passed_over() -> None:
    reference = b"\x0f" + ONE.bytes_le + b"no header at all"
    assert found(reference + CONTENTS) == EXPECTED
    wrong_checksum = bytearray(MODULES[0])
    wrong_checksum[16] ^= 1
    assert found(bytes(wrong_checksum)) == []
    assert found(module(ONE, b"text", kind=0x02)) == []


@pytest.mark.parametrize("size", [0, 23, 24, MODULE_LIMIT + 1, 0xFFFFFF])
def test_a_module_of_no_possible_size_is_passed_over(size: int) -> None:
    assert found(module(ONE, b"text", size=size) + CONTENTS) == EXPECTED


def test_a_module_that_never_ends_is_not_given() -> None:
    assert found(module(ONE, b"text", size=MODULE_LIMIT) + bytes(1000)) == []


def test_the_search_ends_after_a_number_of_places() -> None:
    for places, expected in ((TRIES_LIMIT - 1, [(ONE, MODULES[0])]), (TRIES_LIMIT, [])):
        finder = ModuleFinder((ONE,))
        assert list(finder.feed(ONE.bytes_le * places + MODULES[0])) == expected
        assert finder.gave_up == (not expected)
    assert list(finder.feed(MODULES[0])) == []


def test_at_most_one_module_and_one_part_are_kept() -> None:
    finder, part = ModuleFinder((ONE,)), bytes(1 << 16)
    for contents in (part, module(ONE, part, size=MODULE_LIMIT), *[part] * 200):
        assert not [one for one, whole in finder.feed(contents) if len(whole) != MODULE_LIMIT]
        assert len(finder._window) <= MODULE_LIMIT + len(contents)
