"""LaunchDigest: every accepted text form of a digest, and what is refused."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.abi.digest import SEV_DIGEST_SIZE, SNP_DIGEST_SIZE, LaunchDigest
from catalog.errors import MalformedInput

VALUES = st.sampled_from((SEV_DIGEST_SIZE, SNP_DIGEST_SIZE)).flatmap(lambda n: st.binary(min_size=n, max_size=n))


@given(VALUES, st.sampled_from(("", " ", "\n", "\t ")))
def test_hex_and_base64_of_a_digest_are_read_back(value: bytes, blank: str) -> None:
    digest = LaunchDigest(value)
    forms = [value.hex(), value.hex().upper(), "0x" + value.hex(), "0X" + value.hex()]
    in_base64 = base64.b64encode(value).decode()
    if not re.fullmatch("[0-9a-fA-F]*", in_base64):  # 64 hex digits are always a SEV digest
        forms.append(in_base64)
    for text in forms:
        assert LaunchDigest.parse(blank + text + blank) == digest
    assert digest.hex() == value.hex()


@given(st.binary(max_size=100).filter(lambda value: len(value) not in (SEV_DIGEST_SIZE, SNP_DIGEST_SIZE)))
def test_other_lengths_are_refused(value: bytes) -> None:
    with pytest.raises(MalformedInput, match=f"32 or 48 bytes, not {len(value)}") as caught:
        LaunchDigest(value)
    assert caught.value.hint
    with pytest.raises(MalformedInput, match="is not a launch digest"):
        LaunchDigest.parse(value.hex())


@given(st.text(max_size=70))
def test_arbitrary_text_is_parsed_or_refused(text: str) -> None:
    try:
        digest = LaunchDigest.parse(text)
    except MalformedInput:
        return
    assert len(digest.value) in (SEV_DIGEST_SIZE, SNP_DIGEST_SIZE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "!!" * 32,
        "é" * 64,
        "ab" * 31,
        "0x" + "ab" * 31,  # 64 characters that would be base64 of 48 bytes, but are truncated hex
        "ab" * 16 + "\n" + "ab" * 16,
        base64.b64encode(bytes(31)).decode(),
        base64.b64encode(bytes(32)).decode().rstrip("="),
        base64.b64encode(bytes(32)).decode().replace("A=", "B="),  # padding bits after the last byte are not zero
        base64.urlsafe_b64encode(b"\xff" * 32).decode(),
    ],
)
def test_near_misses_are_refused(text: str) -> None:
    with pytest.raises(MalformedInput) as caught:
        LaunchDigest.parse(text)
    assert "96" in str(caught.value.hint)


def test_64_hex_digits_are_hex_and_not_base64_of_48_bytes() -> None:
    assert LaunchDigest.parse("ab" * 32).value == b"\xab" * 32


def test_a_long_text_is_truncated_in_the_error() -> None:
    with pytest.raises(MalformedInput) as caught:
        LaunchDigest.parse("x" * 10_000)
    assert str(caught.value) == f"'{'x' * 21}...' is not a launch digest"


def test_digests_are_ordered_by_value() -> None:
    assert min(LaunchDigest(b"b" * 32), LaunchDigest(b"a" * 48)).value == b"a" * 48
