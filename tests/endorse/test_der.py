"""DER: only the one right encoding of a value is read."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.endorse import der as reader
from catalog.endorse.der import INTEGER, OBJECT_IDENTIFIER, SEQUENCE, Elements, Moment, read_value
from catalog.errors import MalformedInput
from tests.support.certificate_builder import der, identifier, number, time


@given(st.integers(min_value=0, max_value=1 << 200))
def test_numbers(value: int) -> None:
    assert read_value(number(value), INTEGER).number() == value


def test_a_spl_of_213_is_a_positive_number() -> None:
    assert read_value(bytes.fromhex("020200d5"), INTEGER).number() == 213


@pytest.mark.parametrize("contents", ["", "d5", "ff", "0001", "00", "007f"])
def test_negative_numbers_and_longer_ones_than_needed_are_refused(contents: str) -> None:
    value = read_value(der(INTEGER, bytes.fromhex(contents)), INTEGER)
    if contents == "00":
        assert value.number() == 0
        return
    with pytest.raises(MalformedInput, match="number"):
        value.number()


@given(st.lists(st.integers(min_value=0, max_value=1 << 40), max_size=8), st.sampled_from([(0, 9), (1, 3), (2, 999)]))
def test_object_identifiers(arcs: list[int], start: tuple[int, int]) -> None:
    dotted = ".".join(map(str, [*start, *arcs]))
    contents = identifier(dotted)
    assert read_value(contents, OBJECT_IDENTIFIER).object_identifier() == dotted


@pytest.mark.parametrize("contents", [b"", b"\x80\x01", b"\x2a\x80\x01", b"\x2a\x86", b"\x2a" * 65])
def test_other_encodings_of_an_object_identifier_are_refused(contents: bytes) -> None:
    with pytest.raises(MalformedInput, match="object identifier"):
        read_value(der(OBJECT_IDENTIFIER, contents), OBJECT_IDENTIFIER).object_identifier()


def test_an_object_identifier_of_64_bytes_is_read() -> None:
    assert read_value(der(6, b"\x2a" * 64), OBJECT_IDENTIFIER).object_identifier().startswith("1.2.42.42.")


def test_truth_is_one_byte() -> None:
    assert [read_value(der(1, bytes([byte])), reader.BOOLEAN).truth() for byte in (0, 255)] == [False, True]
    for contents in (b"", b"\x01", b"\xff\xff", b"\0\0"):
        with pytest.raises(MalformedInput, match="truth"):
            read_value(der(1, contents), reader.BOOLEAN).truth()


def test_bits_are_whole_bytes() -> None:
    assert read_value(der(3, b"\0\x12\x34"), reader.BIT_STRING).bits() == b"\x12\x34"
    for contents in (b"", b"\x01\x80"):
        with pytest.raises(MalformedInput, match="bits"):
            read_value(der(3, contents), reader.BIT_STRING).bits()


def test_texts() -> None:
    for tag, data, text in ((0x0C, "é".encode(), "é"), (0x13, b"US", "US"), (0x16, b"Milan-B0", "Milan-B0")):
        assert read_value(der(tag, data), tag).text() == text
    assert read_value(der(0x1E, b"\0U"), 0x1E).text() is None
    for tag in (0x0C, 0x13, 0x16):
        with pytest.raises(MalformedInput, match="string"):
            read_value(der(tag, b"\xff"), tag).text()


@given(st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(9999, 12, 31), timezones=st.just(UTC)))
def test_times(moment: datetime) -> None:
    data = time(moment)
    assert read_value(data, data[0]).time() == Moment(calendar.timegm(moment.timetuple()), f"{moment:%Y-%m-%d}")


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (0x17, "260501000000"),  # no zone
        (0x17, "260501000000+"),
        (0x17, "2605010000Z"),  # no seconds
        (0x17, "20260501000000Z"),
        (0x18, "260501000000Z"),
        (0x18, "20260501000000.5Z"),
        (0x17, "26050100000 Z"),
        (0x17, "Z"),
        (0x13, "260501000000Z"),
        (0x17, "260001000000Z"),
        (0x17, "261301000000Z"),
        (0x17, "260500000000Z"),
        (0x17, "260532000000Z"),
        (0x17, "260431000000Z"),
        (0x17, "260229000000Z"),
        (0x18, "21000229000000Z"),
        (0x17, "260501240000Z"),
        (0x17, "260501006000Z"),
        (0x17, "260501000060Z"),
    ],
)
def test_other_times_are_refused(tag: int, text: str) -> None:
    with pytest.raises(MalformedInput, match="a time"):
        read_value(der(tag, text.encode()), tag).time()


def test_leap_days() -> None:
    for text, day in (
        ("240229000000Z", "2024-02-29"),
        ("000229235959Z", "2000-02-29"),
        ("500101000000Z", "1950-01-01"),
    ):
        assert read_value(der(0x17, text.encode()), 0x17).time().day == day
    assert read_value(der(0x17, b"491231000000Z"), 0x17).time().day == "2049-12-31"


@pytest.mark.parametrize("size", [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000])
def test_every_length_has_one_encoding(size: int) -> None:
    data = der(4, bytes(size))
    assert read_value(data, 4).contents == bytes(size)
    for longer in (
        {1: "81", 2: "82", 3: "83"}[width] + f"{size:0{2 * width}x}" for width in (1, 2, 3) if size < 1 << 8 * width
    ):
        other = b"\x04" + bytes.fromhex(longer) + bytes(size)
        if other != data:
            with pytest.raises(MalformedInput, match="length"):
                read_value(other, 4)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "missing"),
        (b"\x04", "cut short"),
        (b"\x04\x01", "cut short"),
        (b"\x04\x81", "length"),
        (b"\x04\x82\x01", "length"),
        (b"\x04\x80\0\0", "length"),
        (b"\x04\x84\x01\0\0\0", "length"),
        (b"\x04\x83\xff\xff\xff", "cut short"),
        (b"\x05\0", "another type"),
        (b"\x04\0\0", "more follows"),
    ],
)
def test_what_is_not_one_value_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(MalformedInput, match=why):
        read_value(data, 4)


def test_values_are_read_in_order() -> None:
    values = read_value(der(SEQUENCE, number(1), number(300)), SEQUENCE).inside()
    assert values.has(INTEGER)
    assert not values.has(SEQUENCE)
    first = values.take(SEQUENCE, INTEGER)
    assert (first.number(), first.whole) == (1, b"\x02\x01\x01")
    with pytest.raises(MalformedInput, match="more follows"):
        values.end()
    assert values.last(INTEGER).number() == 300
    assert not values.more
    with pytest.raises(MalformedInput, match="missing"):
        values.take(INTEGER)


@given(st.binary(max_size=40))
def test_arbitrary_bytes_raise_only_malformed_input(data: bytes) -> None:
    values = Elements(data)
    try:
        while values.more:
            one = values.take(*range(256))
            for method in (one.number, one.truth, one.bits, one.object_identifier, one.text, one.time):
                try:
                    method()
                except MalformedInput:
                    continue
    except MalformedInput:
        assert data
