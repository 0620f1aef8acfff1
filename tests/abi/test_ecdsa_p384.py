"""Public keys and signatures of 1,028 and 512 bytes: read and written, and what is refused."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.abi.ecdsa_p384 import PUBLIC_KEY_SIZE, SIGNATURE_SIZE, EcdsaPublicKey, EcdsaSignature
from catalog.errors import MalformedInput

NUMBERS = st.integers(0, (1 << 384) - 1)


@given(x=NUMBERS, y=NUMBERS)
def test_a_key_is_read_as_it_was_written(x: int, y: int) -> None:
    key = EcdsaPublicKey(x, y)
    raw = key.to_bytes()
    assert len(raw) == PUBLIC_KEY_SIZE
    assert raw[:4] == b"\2\0\0\0"
    assert raw[4:76] == x.to_bytes(72, "little")
    assert raw[76:148] == y.to_bytes(72, "little")
    assert not any(raw[148:])
    assert EcdsaPublicKey.parse(raw, "the key") == EcdsaPublicKey.from_point(key.point) == key
    assert key.digest() == hashlib.sha384(raw).digest()


@given(r=NUMBERS, s=NUMBERS)
def test_a_signature_is_read_as_it_was_written(r: int, s: int) -> None:
    signature = EcdsaSignature(r, s)
    raw = signature.to_bytes()
    assert raw == (r.to_bytes(72, "little") + s.to_bytes(72, "little")).ljust(SIGNATURE_SIZE, b"\0")
    assert EcdsaSignature.parse(raw, "the signature") == signature


KEY, SIGNATURE = EcdsaPublicKey(1, 2).to_bytes(), EcdsaSignature(1, 2).to_bytes()


def changed(raw: bytes, at: int) -> bytes:
    return raw[:at] + b"\1" + raw[at + 1 :]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (KEY[1:], "the key has 1027 bytes, not 1028"),
        (changed(KEY, 0), "the key is on curve 1, not 2"),
        (changed(KEY, 3), "the key is on curve 16777218"),
        (changed(KEY, 4 + 48), "a number of more than 384 bits"),
        (changed(KEY, 147), "a number of more than 384 bits"),
        (changed(KEY, 148), "reserved bytes that are not zero"),
        (changed(KEY, 1027), "reserved bytes that are not zero"),
    ],
)
def test_keys_that_are_refused(raw: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        EcdsaPublicKey.parse(raw, "the key")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (SIGNATURE + b"\0", "the signature has 513 bytes, not 512"),
        (changed(SIGNATURE, 48), "a number of more than 384 bits"),
        (changed(SIGNATURE, 143), "a number of more than 384 bits"),
        (changed(SIGNATURE, 144), "reserved bytes that are not zero"),
    ],
)
def test_signatures_that_are_refused(raw: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        EcdsaSignature.parse(raw, "the signature")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (EcdsaPublicKey(1 << 384, 1), "x of a key"),
        (EcdsaPublicKey(1, -1), "y of a key"),
        (EcdsaSignature(1 << 384, 1), "r of a signature"),
        (EcdsaSignature(1, 1 << 576), "s of a signature"),
    ],
)
def test_numbers_that_do_not_fit_are_not_written(value: EcdsaPublicKey | EcdsaSignature, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        value.to_bytes()
