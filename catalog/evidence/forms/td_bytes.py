"""What a TD shows about itself, as bytes: a quote, or a TDREPORT."""

from __future__ import annotations

from catalog.abi.tdx.quote import TdxQuote
from catalog.abi.tdx.tdreport import Tdreport
from catalog.evidence.evidence import Evidence
from catalog.evidence.quote_evidence import quote_evidence


def read_quote(data: bytes) -> Evidence:
    """A quote of version 4 or 5. Raises MalformedInput for what cannot be one."""
    return quote_evidence(TdxQuote.parse(data))


def read_tdreport(data: bytes) -> Evidence:
    """1,024 bytes. Raises MalformedInput for the report of another TEE."""
    return Evidence("TDREPORT", Tdreport.parse(data))
