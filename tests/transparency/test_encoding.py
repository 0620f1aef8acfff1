"""Encodings: they accept what the regular expressions and `base64` accept that define them here."""

from __future__ import annotations

import base64
import binascii
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import MalformedInput, UsageError
from catalog.transparency.durations import parse_duration
from catalog.transparency.encoding import MAX_NUMBER, from_base64, from_decimal, to_base64
from catalog.transparency.policy import Policy
from catalog.transparency.trust import parse_signed

TEXTS = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="0123456789", max_size=21),
    st.text(alphabet="AQz09+/= \n", max_size=10),
    st.binary(max_size=9).map(to_base64),
    st.sampled_from(
        [str(MAX_NUMBER), str(MAX_NUMBER + 1), "\u0660", "1\n", "00", "0", "5d", "05d", "5dd", "d", "1m\n"]
    ),
    st.from_regex(r"[0-9]{0,11}[dhmsx]?", fullmatch=True),
)


@given(TEXTS)
def test_decimals(text: str) -> None:
    valid = re.fullmatch(r"0|[1-9][0-9]{0,18}", text) and int(text) <= MAX_NUMBER
    if valid:
        assert from_decimal(text, "it") == int(text)
        return
    with pytest.raises(MalformedInput):
        from_decimal(text, "it")


@given(TEXTS)
def test_base64(text: str) -> None:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if value and base64.b64encode(value).decode() == text:
        assert from_base64(text, "it") == value
        return
    with pytest.raises(MalformedInput):
        from_base64(text, "it")


@given(TEXTS)
def test_durations(text: str) -> None:
    if found := re.fullmatch(r"([1-9][0-9]{0,8})([dhms])", text):
        assert parse_duration(text) == int(found[1]) * {"d": 86_400, "h": 3_600, "m": 60, "s": 1}[found[2]]
        return
    with pytest.raises(UsageError):
        parse_duration(text)


@given(
    st.lists(
        st.sampled_from(["", " ", "\t", "#", "# x", " #log ", "log x", "log\tx", "log", " log x", "x"]), max_size=4
    )
)
def test_a_policy_is_told_from_a_trust_note(lines: list[str]) -> None:
    data = "\n".join(lines).encode()
    policy = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\n)*(?:log|witness|group|quorum)[ \t]")
    with pytest.raises(MalformedInput) as raised:
        parse_signed(data)
    assert ("not a trust note" in str(raised.value)) == (policy.match(data) is not None)


@given(st.binary(max_size=30).map(lambda data: data + b"\nquorum none\n"))
def test_control_characters_of_a_policy(data: bytes) -> None:
    has_control = re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", data) is not None
    said = ""
    try:
        Policy.parse(data)
    except MalformedInput as error:
        said = str(error)
    assert has_control == ("control characters" in said)
