"""Quotes of the tests, verified: with collateral that says that all is well, unless another is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from catalog.abi.tdx.quote import TdxQuote
from catalog.endorse.certificate import Certificate
from catalog.endorse.certificates import parse_certificates
from catalog.endorse.crl import RevocationList
from catalog.endorse.endorsement import Endorsement
from catalog.endorse.tdx.collateral import Collateral
from catalog.endorse.tdx.quote_endorsement import verify_quote
from tests.support.certificate_builder import NOW
from tests.support.intel_certificates import PLATFORM, ROOT, SIGNING, intel_list, root, tcb_signing
from tests.support.quote_builder import pcs_answer, qe_identity, quote, tcb_info

QUOTE = quote()
LISTS = (intel_list(ROOT), intel_list(PLATFORM))


def documents(*fields: dict[str, Any], signer: str = SIGNING) -> Collateral:
    """Of these documents, with Intel's certificates and lists."""
    found = Collateral.joined(Collateral.parse(pcs_answer(one, signer)) for one in fields)
    return Collateral(found.documents, (tcb_signing(),), LISTS)


WHOLE = documents(tcb_info(), qe_identity())


def verify(
    raw: bytes = QUOTE,
    *,
    certificates: Sequence[Certificate] | None = None,
    collateral: Collateral = WHOLE,
    lists: Sequence[RevocationList] = (),
    roots: Sequence[Certificate] | None = None,
    now: float = NOW,
    strict: bool = False,
) -> Endorsement:
    found = TdxQuote.parse(raw)
    if certificates is None:
        certificates = parse_certificates(found.signature.certification) if found.signature else ()
    given = [*certificates, *collateral.certificates]
    roots = [root()] if roots is None else roots
    return verify_quote(found, given, now, roots, lists, collateral, strict=strict)


def failed(endorsement: Endorsement) -> list[str]:
    assert not endorsement.verified
    return [finding.code for finding in endorsement.findings if finding.passed is False]


def text_of(endorsement: Endorsement, code: str) -> str:
    return "; ".join(one.text for one in endorsement.findings if one.code == code and not one.passed)
