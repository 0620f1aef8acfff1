"""Codings: every spelling of bytes is read back, and nothing else is."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import MalformedInput
from catalog.evidence.codings import BASE64, BASE64URL, HEX, NUMBERS, decoded, from_hex, hex_digits
from catalog.evidence.forms.dump import dumped
from tests.support.evidence_forms import hexdump, od, xxd

SOME = st.binary(min_size=1, max_size=80)


@given(SOME)
def test_bytes_are_read_back(value: bytes) -> None:
    digits = value.hex()
    for text in (digits, digits.upper(), value.hex(":"), value.hex(" "), value.hex(","), f"0x{digits}", f"{digits}\n"):
        assert decoded(text) == (HEX, value)
    for text in (str(list(value)), f"{{{', '.join(map(hex, value))},}}", " ".join(f"0x{byte:02X}" for byte in value)):
        assert decoded(text)[1:] == (value,)  # type: ignore[index]
    assert decoded(str(tuple(value))) == (NUMBERS, value)


@given(st.binary(min_size=24, max_size=80).map(lambda value: b"\xff" + value))  # with a letter that is no hex digit
def test_base64_is_read_back(value: bytes) -> None:
    standard, url = base64.b64encode(value).decode(), base64.urlsafe_b64encode(value).decode()
    for text in (standard, standard.rstrip("="), base64.encodebytes(value).decode(), url, url.rstrip("=")):
        found = decoded(text)
        assert found
        assert found[1] == value
        assert found[0] == (BASE64URL if "-" in text or "_" in text else BASE64)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "0x", "abc", "0x0x12", "A", "AB=", "AAA-AA+A", "AAAB=", "QQ", "QR==", "[256]", "[0x100]", "[1, x]"),
        *("[1", "[]", "{-1}", "[1.5]", "[12, 0b1]", "\u0661\u0662", "[\u0661]", "é" * 8, "0x12, 0x", "===="),
        "unsigned char a[] = {",
    ],
)
def test_other_texts_have_no_bytes(text: str) -> None:
    found = decoded(text)
    assert found is None or found == (BASE64, b"A")  # QQ is A without padding


def test_hex_digits_are_counted() -> None:
    assert [hex_digits(text) for text in ("0xab c", "xyz", "")] == [3, 0, 0]
    assert (from_hex("abc"), from_hex("ab:c d")) == (None, b"\xab\xcd")


@given(st.binary(min_size=17, max_size=200), st.integers(0, 5))
def test_dumps_are_read_back(value: bytes, repeated: int) -> None:
    value = value[:16] + value[:16] * repeated + value[16:]
    assert dumped(xxd(value)) == ("an xxd dump", value)
    assert dumped(hexdump(value)) == ("a hexdump -C dump", value)
    assert dumped(od(value)) == dumped(od(value, "06x")) == ("an od dump", value)


@pytest.mark.parametrize(
    "text",
    [
        "00000000: 0011\n00000004: 2233\n",
        "00000000: 0011\n*\n00200000: 2233\n",
        "00000000: 0011 2233\n*\n00000006: 2233\n",
        "00000000: 0011\n*\n00000001: 2233\n",
        "00000000: 0011\nxyz: 2233\n",
        "00000000: 0011\n00000002: zz\n00000004: 2233\n",
        f"00000000: 0011\n00000002: {'00' * 600}\n00000258: 00\n",
        "0000000 00 11\n0000009 22\n",
    ],
)
def test_lines_that_do_not_follow_one_another_are_refused(text: str) -> None:
    with pytest.raises(MalformedInput, match="do not follow one another"):
        dumped(text)


@pytest.mark.parametrize(
    "text", ["", "00000000: 0011", "0000: 0011\n0002: 0011", "00000001: 00\n00000002: 00", "00000000: zz\n\nx"]
)
def test_other_texts_are_no_dumps(text: str) -> None:
    assert dumped(text) is None
