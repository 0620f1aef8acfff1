"""Quotes of real platforms (tests/quotes), with the collateral that Intel published for one of them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.abi.tdx.quote import TdxQuote
from catalog.endorse.certificates import parse_certificates
from catalog.endorse.endorsement import Endorsement
from catalog.endorse.tdx.collateral import Collateral
from catalog.endorse.tdx.quote_endorsement import verify_quote

FOLDER = Path(__file__).parent.parent / "quotes"
COLLATERAL = (FOLDER / "version_4_collateral.json").read_bytes()
VALID, EXPIRED = datetime(2025, 7, 1, tzinfo=UTC), datetime(2025, 8, 1, tzinfo=UTC)


def read(version: int) -> TdxQuote:
    return TdxQuote.parse(base64.b64decode((FOLDER / f"version_{version}.b64").read_bytes()))


def verify(version: int, when: datetime, collateral: bytes | None = None, *, strict: bool = True) -> Endorsement:
    quote = read(version)
    assert quote.signature is not None
    found = Collateral.parse(collateral) if collateral else Collateral()
    certificates = [*parse_certificates(quote.signature.certification), *found.certificates]
    return verify_quote(quote, certificates, when.timestamp(), collateral=found, strict=strict)


@pytest.mark.parametrize(("version", "mrtd"), [(4, "91eb2b44d141d4ec"), (5, "7348651a34b2d2d3")])
def test_quotes_are_read_with_nothing_unknown(version: int, mrtd: str) -> None:
    found = read(version)
    assert (found.version, found.measurement.hex()[:16], found.unknown) == (version, mrtd, ())
    assert found.report.attributes.sept_ve_disable


def test_a_quote_is_verified_by_what_intel_published() -> None:
    found = verify(4, VALID, COLLATERAL)
    assert (found.verified, found.root, found.trusted_by) == (True, "Intel SGX Root CA", "intel")
    passed = {one.code for one in found.findings if one.passed}
    assert passed >= {
        "tcb-status",
        "tdx-module",
        "qe-identity",
        "revocation",
    }


def test_expired_collateral_is_refused() -> None:
    found = verify(4, EXPIRED, COLLATERAL)
    assert [one.code for one in found.findings if one.passed is False] == ["revocation", "tcb-info", "qe-identity"]


def test_a_changed_tcb_info_is_refused() -> None:
    found = verify(4, VALID, COLLATERAL.replace(b"OutOfDate", b"UpToDateX"))
    assert [one.code for one in found.findings if one.passed is False] == ["tcb-info"]


def test_the_collateral_of_another_platform_is_refused() -> None:
    found = verify(5, datetime(2026, 2, 1, tzinfo=UTC), COLLATERAL)
    assert "no TCB info given is of the platform, FMSPC 90c06f000000" in [one.text for one in found.findings]


def test_a_quote_of_version_5_is_signed() -> None:
    found = verify(5, datetime(2026, 3, 1, tzinfo=UTC), strict=False)
    assert (found.verified, found.failed, found.trusted_by) == (False, False, "intel")
