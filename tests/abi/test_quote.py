"""TDX quotes: their fields, what is unknown in them, and what cannot be a quote."""

from __future__ import annotations

import pytest

from catalog.abi.tdx.quote import TdxQuote
from catalog.abi.tdx.quote_signature import QuoteSignature
from catalog.errors import MalformedInput
from tests.support.quote_builder import (
    AUTH_DATA,
    MRTD,
    REPORT_DATA,
    TEE_TCB_SVN,
    le,
    pck_chain,
    qe_report,
    quote,
    signature_data,
    td_report,
)

WHOLE = {4: quote(), 5: quote(td_report(is_15=True), version=5)}
BODY_AT = {4: 48, 5: 54}


def codes(raw: bytes) -> list[str]:
    return [note.code for note in TdxQuote.parse(raw).unknown]


def changed(raw: bytes, at: int, value: bytes) -> bytes:
    return raw[:at] + value + raw[at + len(value) :]


@pytest.mark.parametrize("version", [4, 5])
def test_the_fields_of_a_quote(version: int) -> None:
    found = TdxQuote.parse(WHOLE[version])
    assert (found.version, found.key_type, found.unknown, found.user_data) == (version, 2, (), bytes(20))
    assert found.measurement.value == found.report.mrtd == MRTD
    assert found.report.tee_tcb_svn == TEE_TCB_SVN
    assert found.report.report_data == REPORT_DATA
    assert [register[0] for register in found.report.rtmrs] == [1, 2, 3, 4]
    assert found.signed == WHOLE[version][: 632 if version == 4 else 702]
    assert (found.report.tee_tcb_svn_2, found.report.mr_service_td) == (
        (None, None) if version == 4 else (TEE_TCB_SVN, bytes(48))
    )
    assert found.signature is not None
    assert (found.signature.auth_data, found.signature.certification) == (AUTH_DATA, pck_chain())
    assert found == TdxQuote.parse(WHOLE[version])
    assert hash(found) == hash(WHOLE[version])
    assert repr(found) == f"TdxQuote(version {version}, {MRTD.hex()})"


def test_a_quote_in_json() -> None:
    found = TdxQuote.parse(WHOLE[5]).to_dict()
    assert found["kind"] == "quote"
    assert found["attributes"]["sept_ve_disable"]
    assert (found["xfam"]["value"], found["mrtd"], found["mr_service_td"]) == ("0x602e7", MRTD.hex(), "00" * 48)
    assert TdxQuote.parse(WHOLE[4]).to_dict()["tee_tcb_svn_2"] is None


@pytest.mark.parametrize("version", [4, 5])
def test_every_bit_of_a_quote_is_shown_and_none_is_fatal(version: int) -> None:
    """But for those that say what it is, and how long its parts are. Of registers, one bit of each byte."""
    at = BODY_AT[version]
    raw = WHOLE[version][: at + 584 + (64 if version == 5 else 0)]
    whole = TdxQuote.parse(raw)
    decides = {*range(2), *range(4, 8), *(range(48, 54) if version == 5 else ())}
    numbers = {*range(48), *range(at + 112, at + 136)}
    for place in set(range(at + 584)) - decides:
        for bit in range(8) if place in numbers else (place % 8,):
            found = TdxQuote.parse(changed(raw, place, bytes([raw[place] ^ 1 << bit])))
            assert found.to_dict() != whole.to_dict() or len(found.unknown) > 1


@pytest.mark.parametrize(
    ("at", "value", "code"),
    [
        (2, le(3, 2), "signature-algorithm-unknown"),
        *((8 + bit // 8, le(1 << bit % 8, 1), "reserved-not-zero") for bit in range(32)),
        (12, bytes(16), "qe-vendor-unknown"),
        *((48 + 112 + bit // 8, le(1 << bit % 8, 1), "td-attribute-unknown") for bit in range(64)),
        *((48 + 120, le(1 << 28 | 1 << bit, 8), "td-attribute-unknown") for bit in (1, 2, 3, 7, 15, 17, 26, 32, 61)),
        *((48 + 128, le(0x602E7 | 1 << bit, 8), "xfam-bit-unknown") for bit in range(20, 64)),
        (634, le(1, 2), "quote-signature-unreadable"),
        (636 + 128, le(5, 2), "quote-signature-unreadable"),
    ],
)
def test_what_is_unknown_becomes_a_note(at: int, value: bytes, code: str) -> None:
    assert codes(changed(WHOLE[4], at, value)) == [code]


@pytest.mark.parametrize("at", [20, 31, 96, 127, 160, 191, 262, 303])
def test_reserved_bytes_of_the_report_of_the_qe_are_shown(at: int) -> None:
    (note,) = TdxQuote.parse(quote(report=changed(qe_report(), at, b"\1"))).unknown
    assert (note.code, "of the report of the QE" in note.text) == ("reserved-not-zero", True)


def test_what_is_behind_a_quote() -> None:
    assert codes(WHOLE[4] + bytes(100)) == []  # configfs-tsm and some tools pad with zeros
    assert codes(WHOLE[4] + b"\0\1") == ["reserved-not-zero"]


@pytest.mark.parametrize("size", [632, 635, 636, 700, -1])
def test_a_quote_that_ends_before_its_signature_is_read_without_it(size: int) -> None:
    found = TdxQuote.parse(WHOLE[4][:size])
    assert found.signature is None
    assert [note.code for note in found.unknown] == ["quote-signature-unreadable"]


def test_a_body_of_an_unknown_type_is_read_as_far_as_it_is_known() -> None:
    found = TdxQuote.parse(quote(td_report(is_15=True) + bytes(272), version=5, body_type=4))
    assert (found.body_known, found.measurement.value, found.report.mr_service_td) == (False, MRTD, None)
    assert [note.code for note in found.unknown] == ["quote-body-unknown"]
    assert found.signature is not None


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (WHOLE[4][:631], "at least 632 bytes, not 631"),
        (changed(WHOLE[4], 0, le(6, 2)), "version 6 is not known"),
        (changed(WHOLE[4], 0, le(3, 2)), "version 3 is not known"),
        (changed(WHOLE[4], 4, le(0, 4)), "TEE type 0x0"),
        (changed(WHOLE[5], 48, le(1, 2)), "of an SGX enclave"),
        (changed(WHOLE[5], 48, le(2, 2)), "of type 2, has 648 bytes"),
        (changed(WHOLE[5], 50, le(584, 4)), "of type 3, has 584 bytes"),
        (changed(WHOLE[5], 48, le(4, 2) + le(583, 4)), "of type 4, has 583 bytes"),
        (changed(WHOLE[5], 48, le(4, 2) + le(1 << 31, 4)), "ends within its body"),
        (WHOLE[5][:701], "ends within its body"),
    ],
)
def test_what_cannot_be_a_quote_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        TdxQuote.parse(raw)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (signature_data(b"")[:-1], "cut short"),
        (signature_data(b"") + b"\0", "more follows"),
        (signature_data(b"", kind=5), "of type 5, not 6"),
        (signature_data(b"", report=bytes(383)), "cut short"),
        (signature_data(b"", report=bytes(385)), "cut short|more follows"),
        (signature_data(b"", chain=b"")[:100], "cut short"),
    ],
    ids=["short", "long", "kind", "report-short", "report-long", "no-chain"],  # the data hold keys made for this run
)
def test_other_signature_data_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        QuoteSignature.parse(data)
