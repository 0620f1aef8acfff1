"""Endorsement of quotes: each failure of a quote and of its chain, and what is not said without collateral."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.endorse.certificate import Certificate
from catalog.endorse.crl import RevocationList
from catalog.endorse.endorsement import check_root
from catalog.endorse.tdx.collateral import Collateral
from catalog.endorse.tdx.pcs import collateral_sources
from catalog.errors import UsageError
from tests.support.certificate_builder import NOW, der, identifier, number
from tests.support.intel_certificates import (
    PCK,
    PLATFORM,
    ROOT,
    SERIALS,
    SGX,
    SIGNING,
    intel_certificate,
    intel_list,
    pck,
    platform_ca,
    root,
    sgx_extensions,
)
from tests.support.quote_builder import qe_report, quote, td_report
from tests.support.quote_checks import LISTS, QUOTE, WHOLE, failed, text_of, verify

DAY = 86400


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("raw", [QUOTE, quote(td_report(is_15=True), version=5)])
def test_a_quote_is_verified(raw: bytes, strict: bool) -> None:
    found = verify(raw, strict=strict)
    assert (found.verified, found.failed, found.complete) == (True, False, True)
    assert (found.root, found.trusted_by) == (None, "given")  # Intel's has another fingerprint
    assert all(one.passed for one in found.findings)


def test_without_collateral_a_quote_is_neither_verified_nor_refused() -> None:
    found = verify(collateral=Collateral())
    assert (found.verified, found.failed, found.complete) == (False, False, False)
    assert "no TCB info is given" in text_of(found, "tcb-status")
    assert "no CRL is given" in text_of(found, "revocation")
    assert failed(verify(collateral=Collateral(), strict=True)) == ["revocation", "tcb-status", "qe-identity"]


def test_a_demanded_verification_needs_a_crl() -> None:
    without = Collateral(WHOLE.documents, WHOLE.certificates)
    assert verify(collateral=without).verified
    assert failed(verify(collateral=without, strict=True)) == ["revocation"]


@pytest.mark.parametrize("attributes", [0x1, 0x2, 0x8, 0x10000001])
def test_a_demanded_verification_refuses_a_td_in_debug_mode(attributes: int) -> None:
    raw = quote(td_report(attributes=attributes))
    assert verify(raw).verified
    assert failed(verify(raw, strict=True)) == ["td-attributes"]


def changed(at: int, by: int = 1) -> bytes:
    return QUOTE[:at] + bytes([QUOTE[at] ^ by]) + QUOTE[at + 1 :]


AUTH_AT = 636 + 128 + 6 + 384 + 64 + 2


@pytest.mark.parametrize(
    ("raw", "codes"),
    [
        (changed(200), ["signature"]),  # MRTD
        (changed(40), ["signature"]),  # user data of the header
        (changed(636), ["signature"]),  # the signature itself
        (changed(AUTH_AT), ["attestation-key"]),
        (changed(636 + 64), ["signature", "attestation-key"]),  # no point of the curve
        (changed(636 + 128 + 6 + 16), ["qe-report"]),  # MISCSELECT
        (quote(report=qe_report(signer=bytes(32))), ["qe", "qe-identity"]),
        (quote(report=qe_report(product=1)), ["qe", "qe-identity"]),
        (quote(report=qe_report(attributes=0x13)), ["qe", "qe-identity"]),
        (quote(td_report(is_15=True) + bytes(16), version=5, body_type=4), ["quote-body"]),
        (QUOTE[:700], ["signature"]),
    ],
)
def test_a_quote_that_was_changed_is_not_verified(raw: bytes, codes: list[str]) -> None:
    found = verify(raw, certificates=[pck(), platform_ca(), root()])
    if codes == ["qe-report"]:  # the identity sees the changed report, too
        codes = ["qe-report", "qe-identity"]
    assert failed(found) == codes


def test_without_a_pck_certificate_nothing_is_verified() -> None:
    found = verify(certificates=())
    assert failed(found) == ["signature"]
    assert "no PCK certificate is given" in found.findings[0].text


def leaf(extensions: dict[str, bytes] | None = None, **changes: Any) -> Certificate:
    """A PCK certificate that is not as it has to be."""
    found = {SGX: sgx_extensions(), **(extensions or {})}
    return intel_certificate(PCK, issuer=PLATFORM, extensions=found, **changes)


CA = {"2.5.29.19": der(0x30, bytes.fromhex("0101ff")), "2.5.29.15": der(0x03, b"\1\6")}


@pytest.mark.parametrize(
    ("certificates", "codes", "text"),
    [
        (
            [leaf(), intel_certificate(PLATFORM, issuer="", extensions=CA)],
            ["chain", "revocation"],
            "a certificate without",
        ),
        ([pck(), root()], ["chain", "revocation"], "is issued by Intel SGX PCK Platform CA, which is not given"),
        ([pck(), platform_ca()], [], ""),  # the root is given as one that is trusted
        (
            [
                intel_certificate(PCK, issuer=PLATFORM, signer="somebody", extensions={SGX: sgx_extensions()}),
                platform_ca(),
            ],
            ["chain", "revocation"],
            "which is not given",
        ),
        (
            [pck(), intel_certificate(PLATFORM, issuer=ROOT)],  # no CA
            ["chain", "revocation"],
            "which is not given",
        ),
        (
            [
                intel_certificate(PCK, issuer=PLATFORM, extensions={SGX: sgx_extensions(), "2.5.29.99": b""}),
                platform_ca(),
            ],
            ["chain", "revocation"],
            "has a critical extension that is unknown here",
        ),
        (
            [intel_certificate(PCK, issuer=PCK, extensions={SGX: sgx_extensions()})],
            ["chain", "root", "revocation"],
            "is not signed by itself",
        ),
        ([intel_certificate(PCK, issuer=PLATFORM), platform_ca()], ["tcb-status"], ""),
        (
            [
                intel_certificate(PCK, issuer=PLATFORM, since=9, days=5, extensions={SGX: sgx_extensions()}),
                platform_ca(),
            ],
            ["validity"],
            "",
        ),
    ],
)
def test_each_fault_of_a_chain(certificates: list[Certificate], codes: list[str], text: str) -> None:
    found = verify(certificates=certificates)
    assert [one.code for one in found.findings if one.passed is False] == codes
    assert text in text_of(found, "chain")


def test_the_root_has_to_be_trusted() -> None:
    found = verify(roots=())
    assert failed(found) == ["root", "revocation", "tcb-info", "qe-identity"]
    assert "not Intel's, nor given as a root" in text_of(found, "root")
    assert found.trusted_by is None


def test_times() -> None:
    assert "not yet valid" in text_of(verify(now=NOW - 31 * DAY), "validity")
    assert "expired" in text_of(verify(now=NOW + 9000 * DAY), "validity")


@pytest.mark.parametrize(
    ("lists", "text"),
    [
        ([intel_list(ROOT)], "no CRL given is of Intel SGX PCK Platform CA"),
        ([intel_list(ROOT), intel_list(PLATFORM, signer="somebody")], "is not signed by it"),
        ([intel_list(ROOT), intel_list(PLATFORM, days=None)], "to no date"),
        ([intel_list(ROOT), intel_list(PLATFORM, days=5)], "the CRL of Intel SGX PCK Platform CA is valid from"),
        ([intel_list(ROOT), intel_list(PLATFORM, critical=True)], "critical extension"),
        ([intel_list(ROOT), intel_list(PLATFORM, [SERIALS[PCK]])], "Intel SGX PCK Certificate is revoked"),
        ([intel_list(ROOT, [SERIALS[PLATFORM]]), intel_list(PLATFORM)], "Intel SGX PCK Platform CA is revoked"),
        ([intel_list(PLATFORM)], "no CRL given is of Intel SGX Root CA"),
    ],
)
def test_revocation(lists: list[RevocationList], text: str) -> None:
    found = verify(lists=lists, collateral=Collateral())
    assert failed(found) == ["revocation"]
    assert text in text_of(found, "revocation")


def test_a_revoked_signing_certificate_says_nothing() -> None:
    revoking = Collateral(WHOLE.documents, WHOLE.certificates, (intel_list(ROOT, [SERIALS[SIGNING]]), LISTS[1]))
    assert failed(verify(collateral=revoking)) == ["tcb-info", "qe-identity"]


def test_the_sgx_extensions_have_to_be_well_formed() -> None:
    """Without them no TCB info is known to be of the platform."""
    whole = sgx_extensions()
    for value in (
        b"",
        whole[:-1],
        der(0x30),
        sgx_extensions((*range(15),)),
        sgx_extensions(pce_svn=der(0x30)),
        sgx_extensions(fmspc=bytes(5)),
        der(0x30, whole[4:], whole[4:]),
        der(0x30, der(0x30, identifier(f"{SGX}.2"), number(1))),
    ):
        leaf = intel_certificate(PCK, issuer=PLATFORM, extensions={SGX: value})
        assert failed(verify(certificates=[leaf, platform_ca()])) == ["tcb-status"]


def test_where_collateral_is() -> None:
    sources = collateral_sources([b"junk", pck().der])
    assert sources[0].url == ("https://api.trustedservices.intel.com/tdx/certification/v4/tcb?fmspc=b0c06f000000")
    assert str(sources[2]).endswith("pckcrl?ca=platform")
    assert [one.url for one in collateral_sources([])] == [None]
    processor = intel_certificate(PCK, issuer="Intel SGX PCK Processor CA", extensions={SGX: sgx_extensions()})
    assert str(collateral_sources([processor.der])[2]).endswith("pckcrl?ca=processor")


def test_roots_of_quotes() -> None:
    check_root(root())
    with pytest.raises(UsageError, match="no valid ECDSA self-signature"):
        check_root(intel_certificate(ROOT, issuer=ROOT, signer="somebody", extensions=CA))
    with pytest.raises(UsageError, match="is not self-signed"):
        check_root(platform_ca())


def test_of_many_lists_the_newest_counts_and_of_equal_ones_each() -> None:
    revokes = intel_list(PLATFORM, [pck().serial])
    assert failed(verify(lists=[revokes])) == ["revocation"]
    assert failed(verify(lists=[*LISTS, *[intel_list(PLATFORM)] * 20, revokes])) == ["revocation"]
    many = [intel_list(PLATFORM, [serial]) for serial in range(1000, 1017)]
    found = verify(lists=[*LISTS, *many])
    assert failed(found) == ["revocation"]
    assert "more than 16 CRLs of Intel SGX PCK Platform CA are given" in text_of(found, "revocation")
