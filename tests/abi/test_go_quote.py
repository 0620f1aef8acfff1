"""Quotes in the JSON of go-tdx-guest: read back to their bytes, or refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from catalog.abi.tdx.go_quote import parse_go_quote
from catalog.errors import MalformedInput
from tests.support.quote_builder import go_quote, quote, td_report

RAW = [quote(), quote(version=5), quote(td_report(is_15=True), version=5)]


def snake(value: Any) -> Any:
    """As protobuf writes names if it is told to keep them."""
    if not isinstance(value, dict):
        return value
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in name): snake(one) for name, one in value.items()}


@pytest.mark.parametrize("raw", RAW)
def test_the_bytes_of_a_quote(raw: bytes) -> None:
    assert parse_go_quote(go_quote(raw)).raw == raw
    assert parse_go_quote(snake(go_quote(raw))).raw == raw


def test_a_quote_without_its_signature() -> None:
    fields = go_quote(RAW[0])
    del fields["signedData"]
    found = parse_go_quote(fields)
    assert (found.signature, found.raw) == (None, RAW[0][:632])


def test_unknown_fields_are_left_out_with_a_note() -> None:
    fields = go_quote(RAW[2])
    fields["more"] = None
    fields["header"]["newer"] = 1
    fields["signedData"]["certificationData"]["newer"] = 1
    (note,) = parse_go_quote(fields).unknown
    assert (note.code, note.text[:8]) == ("report-field-unknown", "2 fields")


def dropped(*path: str) -> Callable[[dict[str, Any]], None]:
    def drop(fields: dict[str, Any]) -> None:
        *above, last = path
        for name in above:
            fields = fields[name]
        del fields[last]

    return drop


def put(value: Any, *path: str) -> Callable[[dict[str, Any]], None]:
    def change(fields: dict[str, Any]) -> None:
        *above, last = path
        for name in above:
            fields = fields[name]
        fields[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put([], "header"), "is missing, or is no object"),
        (dropped("signedData", "certificationData"), "is missing, or is no object"),
        (put(-1, "header", "version"), "no|not an unsigned number of 16 bits"),
        (put("4", "header", "version"), "not an unsigned number of 16 bits"),
        (put("AAA=!", "tdQuoteBody", "mrTd"), "not 48 bytes in base64"),
        (put("AAAA", "tdQuoteBody", "mrTd"), "not 48 bytes in base64"),
        (put([], "tdQuoteBody", "rtmrs"), "not 192 bytes in base64"),
        (dropped("tdQuoteBody", "reportData"), "not 64 bytes in base64"),
        (
            put(1, "signedData", "certificationData", "qeReportCertificationData", "qeAuthData", "data"),
            "not bytes in base64",
        ),
    ],
)
def test_other_fields_are_refused(change: Callable[[dict[str, Any]], None], message: str) -> None:
    fields = copy.deepcopy(go_quote(RAW[0]))
    change(fields)
    with pytest.raises(MalformedInput, match=message):
        parse_go_quote(fields)
