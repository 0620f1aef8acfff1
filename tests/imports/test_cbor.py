"""The strict readers of CBOR and protobuf: what is accepted comes back, and each looseness is refused."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import MalformedRecord
from catalog.imports import cbor, protobuf
from catalog.imports.cbor import Tagged, decode
from catalog.imports.cose_sign1 import Sign1
from catalog.imports.protobuf import Message
from tests.support import published_documents as made

SCALARS = (
    st.booleans() | st.none() | st.integers(-(1 << 64), (1 << 64) - 1) | st.binary(max_size=40) | st.text(max_size=40)
)
KEYS = st.integers(-(1 << 32), 1 << 32) | st.text(max_size=8) | st.binary(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.builds(Tagged, st.integers(0, 1 << 32), inner)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_encoded_is_decoded(value: Any) -> None:
    assert decode(made.cbor(value), "x") == value


@given(st.binary(max_size=64))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        value = decode(data, "x")
    except MalformedRecord:
        return
    assert made.cbor(value) == data  # nothing has two encodings


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "x: CBOR at byte 0: 1 bytes are not there"),
        ("1817", "23 is not in its shortest form"),
        ("1900ff", "255 is not in its shortest form"),
        ("1a0000ffff", "65535 is not in its shortest form"),
        ("1b00000000ffffffff", "is not in its shortest form"),
        ("5f42010243030405ff", "an indefinite length"),
        ("9fff", "an indefinite length"),
        ("f93c00", "a float"),
        ("f7", "simple value 23"),
        ("f8ff", "a simple value"),
        ("1c", "an indefinite length"),
        ("61ff", "a text that is not UTF-8"),
        ("43ffff", "3 bytes are not there"),
        ("a201020103", "the key '1' is there twice"),
        ("a1800", "x"),
        ("a1f500", "a key that is no number, text or bytes"),
        ("a18001", "a key that is no number, text or bytes"),
        ("0000", "1 bytes follow the end"),
        ("9a7fffffff", "2147483647 entries are more than the document can have"),
        ("bb7fffffffffffffff", "entries are more than the document can have"),
        ("b90101" + "00" * 600, "257 keys are more than 256"),
        ("5b7fffffffffffffff", "bytes are not there"),
        ("81" * 30 + "00", "deeper than 24"),
        ("c1" * 30 + "00", "deeper than 24"),
    ],
)
def test_a_loose_form_is_refused(data: str, message: str) -> None:
    with pytest.raises(MalformedRecord, match=message):
        decode(bytes.fromhex(data if len(data) % 2 == 0 else data + "0"), "x")


def test_the_number_of_items_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cbor, "MOST_ITEMS", 9)
    assert decode(made.cbor([1] * 8), "x") == [1] * 8
    with pytest.raises(MalformedRecord, match="9 entries are more than"):
        decode(made.cbor([1] * 9), "x")
    with pytest.raises(MalformedRecord, match="more than 9 items"):
        decode(made.cbor([Tagged(1, 1)] * 5), "x")
    assert decode(made.cbor([Tagged(1, 1)] * 5), "x", 11) == [Tagged(1, 1)] * 5
    with pytest.raises(MalformedRecord, match="more than 10 items"):
        decode(made.cbor([Tagged(1, 1)] * 5), "x", 10)


@pytest.mark.parametrize("value", [Tagged(17, []), 18, [18]])
def test_a_message_of_another_tag_is_no_cose_sign1(value: Any) -> None:
    with pytest.raises(MalformedRecord, match="x: no COSE_Sign1"):
        Sign1.parse(made.cbor(value), "x")


@pytest.mark.parametrize("value", [7, None, [], [b"", {}, b""], [b"", {}, b"", b"", b""], [b"", [], b"", b""]])
def test_a_cose_sign1_has_four_parts(value: Any) -> None:
    with pytest.raises(MalformedRecord, match="x: a COSE_Sign1 is protected and unprotected headers"):
        Sign1.parse(made.cbor(Tagged(18, value)), "x")


def test_what_cose_signs_is_an_array_of_a_text_and_bytes() -> None:
    parts = (b"", b"a" * 23, b"b" * 24, b"c" * 256, b"d" * 65_536)
    assert cbor.encode_signed("Signature1", *parts) == made.cbor(["Signature1", *parts])


@given(st.dictionaries(st.integers(1, 3), st.integers(0, (1 << 64) - 1) | st.binary(max_size=300), max_size=3))
def test_fields_are_read_by_number_and_kind(values: dict[int, Any]) -> None:
    data = b"".join(made.field(number, value) for number, value in values.items())
    kinds: protobuf.Kinds = {
        number: "number" if isinstance(value, int) else "bytes" for number, value in values.items()
    }
    message = Message(data, kinds, "x", known_only=True)
    assert {number: message.number(number) or message.data(number) for number in values} == {
        number: value or b"" for number, value in values.items()
    }


@given(st.binary(max_size=48))
def test_no_message_raises_anything_else(data: bytes) -> None:
    with suppress(MalformedRecord):
        message = Message(data, {1: "bytes", 2: "number"}, "x")
        assert sum(len(one) for one in message.all_data(1)) <= len(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("08", "no number in its shortest form"),
        ("088000", "no number in its shortest form"),
        ("08ffffffffffffffffff7f", "no number in its shortest form"),
        ("08" + "80" * 11, "no number in its shortest form"),
        ("0001", "0 is no field number"),
        ("8080808080207f", "is no field number"),
        ("0b", "wire type 3 is not used"),
        ("0a05ff", "field 1 has 5 bytes, which are not there"),
        ("0d00", "field 1 has 4 bytes, which are not there"),
        ("0901", "field 1 has 8 bytes, which are not there"),
        ("0801", "field 1 has wire type 0"),
    ],
)
def test_a_broken_message_is_refused(data: str, message: str) -> None:
    with pytest.raises(MalformedRecord, match=message):
        Message(bytes.fromhex(data), {1: "bytes"}, "x")


def test_the_number_of_fields_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MOST_FIELDS", 2)
    with pytest.raises(MalformedRecord, match="more than 2 fields"):
        Message(made.field(1, 7) * 3, {1: "number"}, "x")
