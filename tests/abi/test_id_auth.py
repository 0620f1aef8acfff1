"""IdAuth: 4,096 bytes, read and written; what is refused."""

from __future__ import annotations

import pytest

from catalog.abi.ecdsa_p384 import EcdsaPublicKey, EcdsaSignature
from catalog.abi.id_auth import ID_AUTH_SIZE, IdAuth
from catalog.errors import MalformedInput

SIGNATURE, KEY = EcdsaSignature(3, 4), EcdsaPublicKey(5, 6)
ALONE = IdAuth(SIGNATURE, KEY)
AUTHORED = IdAuth(SIGNATURE, KEY, EcdsaSignature(7, 8), EcdsaPublicKey(9, 10))


def changed(raw: bytes, at: int, value: int) -> bytes:
    return raw[:at] + bytes([value]) + raw[at + 1 :]


def test_the_fields_are_where_the_specification_has_them() -> None:
    raw = AUTHORED.to_bytes()
    assert len(raw) == ID_AUTH_SIZE
    assert raw[:8] == b"\1\0\0\0\1\0\0\0"
    assert raw[0x040:0x240] == SIGNATURE.to_bytes()
    assert raw[0x240:0x644] == KEY.to_bytes()
    assert raw[0x680:0x880] == EcdsaSignature(7, 8).to_bytes()
    assert raw[0x880:0xC84] == EcdsaPublicKey(9, 10).to_bytes()
    assert not any(raw[0x008:0x040] + raw[0x644:0x680] + raw[0xC84:])
    assert IdAuth.parse(raw) == AUTHORED


def test_without_an_author_key_its_fields_are_zero() -> None:
    raw = ALONE.to_bytes()
    assert raw[:8] == b"\1" + bytes(7)
    assert not any(raw[0x644:])
    assert IdAuth.parse(raw) == ALONE


def test_others_name_an_algorithm_of_an_author_key_that_there_is_none_of() -> None:
    assert IdAuth.parse(changed(ALONE.to_bytes(), 4, 1)) == ALONE


RAW = AUTHORED.to_bytes()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (RAW[:-1], "4096 bytes, not 4095"),
        (changed(RAW, 0, 2), "unknown algorithm 2 of the ID key"),
        (changed(RAW, 4, 0), "unknown algorithm 0 of the author key"),
        (changed(ALONE.to_bytes(), 4, 2), "unknown algorithm 2 of the author key"),
        (changed(RAW, 0x008, 1), "reserved bytes that are not zero, from 0x8"),
        (changed(RAW, 0x03F, 1), "reserved bytes that are not zero, from 0x8"),
        (changed(RAW, 0x67F, 1), "reserved bytes that are not zero, from 0x644"),
        (changed(RAW, 0xFFF, 1), "reserved bytes that are not zero, from 0xc84"),
        (changed(RAW, 0x0D0, 1), "the ID block's signature has reserved bytes"),
        (changed(RAW, 0x240, 1), "the ID key is on curve 1"),
        (changed(RAW, 0x87F, 1), "the ID key's signature has reserved bytes"),
        (changed(RAW, 0x880, 0), "the author key is on curve 0"),
    ],
)
def test_refused(raw: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        IdAuth.parse(raw)


@pytest.mark.parametrize("fields", [(SIGNATURE, None), (None, KEY)])
def test_an_author_key_has_its_signature(fields: tuple[EcdsaSignature | None, EcdsaPublicKey | None]) -> None:
    with pytest.raises(MalformedInput, match="belong together"):
        IdAuth(SIGNATURE, KEY, *fields)
