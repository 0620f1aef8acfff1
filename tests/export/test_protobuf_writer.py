"""Messages are written in one form, which the strict reader reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.export.writers.protobuf_writer import message
from catalog.imports.protobuf import Message

NUMBERS = st.integers(0, (1 << 64) - 1)


@given(NUMBERS, st.binary(), st.dictionaries(st.integers(1, (1 << 32) - 1), st.binary(min_size=1), max_size=9))
def test_what_is_written_is_read(number: int, data: bytes, entries: dict[int, bytes]) -> None:
    read = Message(message({7: entries, 300: data, 1: number}), {1: "number", 7: "bytes", 300: "bytes"}, "message")
    assert (read.number(1), read.data(300)) == (number, data)
    maps = [Message(entry, {1: "number", 2: "bytes"}, "entry") for entry in read.all_data(7)]
    assert [(one.number(1), one.data(2)) for one in maps] == sorted(entries.items())


def test_fields_are_in_order_and_default_values_left_out() -> None:
    assert message({3: b"a", 2: 0, 1: 300, 4: b"", 5: {}}) == bytes.fromhex("08ac02 1a0161")
    assert message({1: {2: b"b", 1: b"a"}}) == bytes.fromhex("0a0508011201610a050802120162")


@pytest.mark.parametrize("value", [-1, 1 << 64])
def test_a_number_out_of_range_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="unsigned number of 64 bits"):
        message({1: value})
