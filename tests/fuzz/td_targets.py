"""Quotes, TDREPORTs and collateral, broken and whole: read, shown and verified."""

from __future__ import annotations

import json

from catalog.abi.tdx.quote import TdxQuote
from catalog.ask.evidence_notes import notes_on
from catalog.ask.tdx.td_facts import td_facts
from catalog.endorse.certificates import parse_carried
from catalog.endorse.tdx.collateral import Collateral
from catalog.endorse.tdx.pcs import collateral_sources
from catalog.endorse.tdx.quote_endorsement import verify_quote
from catalog.evidence.sniff import sniff
from tests.fuzz.target import Target
from tests.support.certificate_builder import NOW
from tests.support.intel_certificates import root
from tests.support.quote_builder import go_quote, pcs_answer, qe_identity, quote, tcb_info, td_report, tdreport
from tests.support.quote_checks import QUOTE, WHOLE


def _shown(data: bytes) -> None:
    """A quote that is shown and verified, whatever it has that is unknown."""
    evidence = sniff(data)
    notes_on(evidence)
    if evidence.td:
        json.dumps(evidence.td.to_dict())
        td_facts(evidence.td)
    if evidence.quote:
        collateral_sources(evidence.certificates)
        certificates = [*parse_carried(evidence.certificates), *WHOLE.certificates]
        verify_quote(evidence.quote, certificates, NOW, [root()], (), WHOLE)


def _collateral(data: bytes) -> None:
    found = Collateral.parse(data)
    quoted = TdxQuote.parse(QUOTE)
    certificates = parse_carried(sniff(QUOTE).certificates)
    joined = Collateral.joined([found, Collateral((), WHOLE.certificates, WHOLE.lists)])
    verify_quote(quoted, [*certificates, *joined.certificates], NOW, [root()], (), joined)


def _quotes() -> list[bytes]:
    version_5 = quote(td_report(is_15=True), version=5)
    return [QUOTE, version_5, tdreport(), QUOTE.hex().encode(), json.dumps(go_quote(version_5)).encode()]


def _documents() -> list[bytes]:
    return [pcs_answer(tcb_info()), pcs_answer(qe_identity()), root().der]


TD_TARGETS = {"quote": Target(_shown, _quotes), "collateral": Target(_collateral, _documents)}
