"""A TDX quote as evidence, with the certificates that it brings."""

from __future__ import annotations

from catalog.abi.tdx.quote import TdxQuote
from catalog.abi.tdx.quote_signature import PCK_CHAIN
from catalog.endorse.certificate_forms import certificates_of_file
from catalog.errors import MalformedInput
from catalog.evidence.evidence import Evidence

QUOTE = "TDX quote"
"""Form of a quote."""


def quote_evidence(quote: TdxQuote) -> Evidence:
    """A quote with the certificates in it, if these can be read."""
    signature = quote.signature
    if signature is None or signature.certification_type != PCK_CHAIN:
        return Evidence(QUOTE, quote)
    try:
        return Evidence(QUOTE, quote, tuple(certificates_of_file(signature.certification)))
    except MalformedInput:
        return Evidence(QUOTE, quote)
