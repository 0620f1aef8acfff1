"""What a TD shows about itself as evidence: quotes and TDREPORTs, alone and in what carries them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from catalog.abi.tdx.quote import TdxQuote
from catalog.errors import MalformedInput
from catalog.evidence.sniff import sniff
from tests.support.intel_certificates import pck, platform_ca, root
from tests.support.quote_builder import MRTD, go_quote, quote, td_report, tdreport

QUOTE = quote()
QUOTE_5 = quote(td_report(is_15=True), version=5)
IN_BASE64 = base64.b64encode(QUOTE).decode()


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (QUOTE, "TDX quote"),
        (QUOTE_5, "TDX quote"),
        (QUOTE + bytes(3000), "TDX quote"),
        (QUOTE.hex().encode(), "TDX quote in hex"),
        (f"0x{QUOTE.hex()}".encode(), "TDX quote in hex"),
        (IN_BASE64.encode(), "TDX quote in base64"),
        (tdreport(), "TDREPORT"),
        (base64.b64encode(tdreport()), "TDREPORT in base64"),
        (json.dumps({"cc_eventlog": None, "quote": IN_BASE64}).encode(), "TDX quote in JSON"),  # Trustee
        (json.dumps({"quote": QUOTE.hex(), "event_log": "[]"}).encode(), "TDX quote in JSON"),  # dstack
        (json.dumps({"outblob": IN_BASE64, "provider": "tdx_guest"}).encode(), "TDX quote in JSON"),
        (json.dumps(go_quote(QUOTE)).encode(), "TDX quote in JSON"),
        (json.dumps({"quote": go_quote(QUOTE_5)}).encode(), "TDX quote in JSON"),
        (json.dumps({"tdx": {"quote": IN_BASE64, "mrtd": MRTD.hex()}}).encode(), "TDX quote in JSON"),
    ],
)
def test_forms(data: bytes, form: str) -> None:
    found = sniff(data)
    assert (found.form, found.technology, found.technologies()) == (form, "tdx", ["tdx"])
    assert (found.digest.value, found.report, found.notes) == (MRTD, None, ())
    assert found.td is not None
    assert found.verifiable == (found.quote is not None) == ("quote" in form)
    if found.verifiable:
        assert found.certificates == (pck().der, platform_ca().der, root().der)


def test_a_digest_is_not_of_a_td() -> None:
    found = sniff(MRTD.hex().encode())
    assert (found.td, found.quote, found.verifiable, found.technology) == (None, None, False, None)


@pytest.mark.parametrize("raw", [QUOTE[:640], quote(inner_kind=4), quote(chain=b"nothing")])
def test_a_quote_whose_certificates_cannot_be_read_has_none(raw: bytes) -> None:
    assert sniff(raw).certificates == ()
    assert sniff(raw).digest.value == MRTD


@pytest.mark.parametrize(
    ("claims", "notes"),
    [
        ({"tdx_mrtd": MRTD.hex(), "attester_type": "TDX"}, ["digest-only-claimed"]),
        ({"tdx": {"quote": {"body": {"mr_td": MRTD.hex()}}}}, ["digest-only-claimed"]),
        ({"tdx.quote.body.mr_td": MRTD.hex()}, ["digest-only-claimed"]),
        ({"quote": IN_BASE64, "mrtd": "00" * 48}, ["digests-differ"]),
    ],
)
def test_claims_state_an_mrtd(claims: dict[str, Any], notes: list[str]) -> None:
    found = sniff(json.dumps(claims).encode())
    assert found.digest.value == MRTD
    assert [note.code for note in found.notes] == notes


def test_two_different_quotes_are_refused() -> None:
    with pytest.raises(MalformedInput, match="several different reports"):
        sniff(json.dumps({"quote": IN_BASE64, "evidence": QUOTE_5.hex()}).encode())
    same = sniff(json.dumps({"quote": IN_BASE64, "evidence": QUOTE.hex()}).encode())
    assert isinstance(same.value, TdxQuote)
