"""Numbers as users write them: decimal, 0x, 0b, and ranges of vCPU counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import UsageError
from catalog.launch.point import MAX_VCPUS
from catalog.rows.numbers import parse_counts, parse_number


@given(st.integers(min_value=0, max_value=2**64))
def test_decimal_hex_and_binary_are_the_same_number(value: int) -> None:
    assert (
        parse_number(value) == parse_number(str(value)) == parse_number(hex(value)) == parse_number(bin(value)) == value
    )


@pytest.mark.parametrize("text", ["", "x", "0x", "0b2", "1.5", "1e3", "one", "0x1g", "007", "9" * 5000])
def test_invalid_numbers_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a number") as caught:
        parse_number(text)
    assert caught.value.hint == "write it in decimal, 0x or 0b"


@pytest.mark.parametrize("text", ["0o17", "1_0", " 4 ", "٣", "+4"])
def test_only_decimal_0x_and_0b_are_numbers(text: str) -> None:
    with pytest.raises(UsageError):
        parse_number(text)


@given(st.integers(1, MAX_VCPUS), st.integers(1, MAX_VCPUS))
def test_a_range_includes_both_ends(first: int, last: int) -> None:
    if first <= last:
        assert parse_counts([f"{first}-{last}"]) == set(range(first, last + 1))
    else:
        with pytest.raises(UsageError, match="runs backwards"):
            parse_counts([f"{first}-{last}"])


def test_ranges_and_numbers_are_merged_without_duplicates() -> None:
    assert parse_counts(["1-3", 2, "0x10", "0b101", "0x4-0b101"]) == {1, 2, 3, 4, 5, 16}
    assert parse_counts([]) == set()


@pytest.mark.parametrize("value", [0, -1, "0", "-3", "0-4", "1-0", "1--1", "-2-3", MAX_VCPUS + 1, "1-4097", 10**30])
def test_impossible_vcpu_counts_are_refused(value: int | str) -> None:
    with pytest.raises(UsageError):
        parse_counts([value])


@pytest.mark.parametrize("value", ["-", "1-", "--", "a-b", "1-2-3", "1 2", ""])
def test_invalid_ranges_are_refused(value: str) -> None:
    with pytest.raises(UsageError, match="is not a number"):
        parse_counts([value])
