"""What carries evidence: MessagePack, SCALE, tokens and lists, read whole or refused."""

from __future__ import annotations

import pytest

from catalog.errors import MalformedInput
from catalog.evidence.forms.json_object import json_objects
from catalog.evidence.forms.message_pack import unpacked
from catalog.evidence.forms.token import payload_of_token
from catalog.evidence.several_digests import MAX_LINES, read_batch
from catalog.evidence.sniff import sniff
from tests.support import evidence_forms as forms


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\xc0", None),
        (b"\xc2", False),
        (b"\xc3", True),
        (b"\x7f", 127),
        (b"\xff", -1),
        (b"\xcd\x01\x00", 256),
        (b"\xd1\xff\x00", -256),
        (b"\xc4\x02ab", b"ab"),
        (b"\xd9\x02ab", "ab"),
        (b"\xdc\x00\x01\x07", [7]),
        (b"\x92\x01\xa1x", [1, "x"]),
        (b"\xde\x00\x01\xa1x\x07", {"x": 7}),
        (b"\x81\xa1x\x81\xa1y\x93\x01\x02\x03", {"x": {"y": [1, 2, 3]}}),
        (b"\x81\xa1x\xdc\x00\x03\x01\x02\x03", {"x": [1, 2, 3]}),
    ],
)
def test_message_pack_is_read(data: bytes, value: object) -> None:
    assert unpacked(data) == value


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\x01\x02", b"\xc1", b"\xca\x00\x00\x00\x00", b"\xc4\x05a", b"\xd9\x01\xff", b"\x81\x01\x02"),
        *(b"\x82\xa1x\x01\xa1x\x02", b"\xdd\xff\xff\xff\xff", b"\x81\xa1x" * 20 + b"\x01", b"\xd9"),
    ],
)
def test_other_bytes_are_no_message_pack(data: bytes) -> None:
    assert unpacked(data) is None


def test_an_attestation_of_dstack_has_a_bounded_chain() -> None:
    head = forms.SCALE[:4] + forms.REPORT
    many = (65 << 2 | 1).to_bytes(2, "little")
    for rest, message in ((b"", "invalid length"), (b"\x03", "invalid length"), (many, "65 certificates")):
        with pytest.raises(MalformedInput, match=message):
            sniff(head + rest)


@pytest.mark.parametrize("text", ["eyJ.a", "abc.def.ghi", "eyJ!.eyJ9.c", "eyJhIjoxfQ.AAAA.c", "eyJhIjoxfQ.e_8.c"])
def test_other_texts_are_no_tokens(text: str) -> None:
    assert payload_of_token(text) is None


def test_json_has_no_other_constants() -> None:
    with pytest.raises(MalformedInput, match="NaN is not JSON"):
        json_objects('{"a": NaN}')


def test_bytes_that_are_no_text_are_no_json() -> None:
    with pytest.raises(MalformedInput, match="not a launch digest"):
        sniff(forms.standard(b"{\xff" + bytes(10)).encode())


def test_a_label_without_a_digest_is_passed_over() -> None:
    text = f"Measurement:\n\nVersion: 3\nLaunch Digest: {forms.DIGEST.hex()}\n"
    assert sniff(text.encode()).digest.value == forms.DIGEST


def test_lists_of_texts_are_a_batch() -> None:
    digest = forms.DIGEST.hex()
    assert [line.evidence is not None for line in read_batch(f'["{digest}", "x"]'.encode())] == [True, False]
    for text in ("[", '["x", 1]', "[1, 2]", f'["{digest}"]', "\udcff", f"{digest}\n#\n", "x\ny\n"):
        assert read_batch(text.encode("utf-8", "surrogateescape")) == []
    assert read_batch(SPLIT) == []


def test_a_text_with_a_few_digests_is_no_batch() -> None:
    digest = forms.DIGEST.hex()
    assert read_batch(f"a\nb\nc\n{digest}\n{digest}\n".encode()) == []
    assert len(read_batch(f"a\nb\n{digest}\n{digest}\n".encode())) == 4
    assert len(read_batch(f"{digest}\na\nb\nc\n".encode())) == 4


def test_a_batch_is_bounded() -> None:
    lines = [forms.DIGEST.hex(), *("x" for _ in range(MAX_LINES - 1))]
    assert len(read_batch("\n".join(lines).encode())) == MAX_LINES
    with pytest.raises(MalformedInput, match="at most 30,000 lines, not 30,001"):
        read_batch("\n".join([*lines, "x"]).encode())
    assert read_batch(b"x\n" * (MAX_LINES + 1)) == []


SPLIT = "\n".join(forms.REPORT.hex()[at : at + 64] for at in range(0, 2368, 64)).encode()
"""A report in lines that could each be a digest."""
