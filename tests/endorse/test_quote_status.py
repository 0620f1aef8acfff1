"""What collateral says of a quote: each fault of a document, and the status of platform, TDX module and QE."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.endorse.tdx.collateral import Collateral
from catalog.endorse.tdx.intel_chain import TCB_SIGNING
from tests.support.intel_certificates import intel_certificate, p256_key
from tests.support.quote_builder import day, level, module, qe_identity, quote, tcb_info, tcb_level, td_report
from tests.support.quote_checks import WHOLE, documents, failed, text_of, verify


@pytest.mark.parametrize(
    ("collateral", "codes", "text"),
    [
        (
            documents(tcb_info(), qe_identity(), signer="somebody"),
            ["tcb-info", "qe-identity"],
            "none given has signed it",
        ),
        (Collateral(WHOLE.documents), ["tcb-info", "qe-identity"], "none is given"),
        (documents(tcb_info(nextUpdate=day(-1)), qe_identity()), ["tcb-info"], "has expired"),
        (documents(tcb_info(issueDate=day(1)), qe_identity()), ["tcb-info"], "is not yet valid"),
        (documents(tcb_info(issueDate="soon"), qe_identity()), ["tcb-info"], "has no dates"),
        (documents(tcb_info(fmspc="00" * 6), qe_identity()), ["tcb-status"], "FMSPC b0c06f000000"),
        (documents(tcb_info(fmspc="0"), qe_identity()), ["tcb-status"], "FMSPC b0c06f000000"),
        (documents(tcb_info(version=2), qe_identity()), ["tcb-status"], "FMSPC b0c06f000000"),
        (documents(tcb_info(tcbLevels=3), qe_identity()), ["tcb-status"], "cannot be read: tcbLevels is no list"),
        (documents(tcb_info(tcbLevels=[3]), qe_identity()), ["tcb-status"], "a TCB level is no object"),
        (documents(tcb_info(tcbLevels=[tcb_level(sgx=(1,))]), qe_identity()), ["tcb-status"], "has not 16 parts"),
        (documents(tcb_info(tcbLevels=[tcb_level(pce=14)]), qe_identity()), ["tcb-status"], "below every level"),
        (documents(tcb_info(tcbLevels=[tcb_level(sgx=(9, *bytes(15)))]), qe_identity()), ["tcb-status"], "below every"),
        (documents(tcb_info(tcbLevels=[tcb_level(tdx=(0, 0, 9, *bytes(13)))]), qe_identity()), ["tcb-status"], "below"),
        (documents(tcb_info(tcbLevels=[tcb_level("OutOfDate")]), qe_identity()), ["tcb-status"], "is OutOfDate"),
        (documents(tcb_info(tcbLevels=[tcb_level("Revoked")]), qe_identity()), ["tcb-status"], "is Revoked"),
        (
            documents(tcb_info(tdxModuleIdentities=[]), qe_identity()),
            ["tdx-module"],
            "no identity of the TDX module, TDX_01",
        ),
        (documents(tcb_info(), qe_identity(tcbLevels=[level(isvsvn=7)])), ["qe-identity"], "6, is below every level"),
        (documents(tcb_info(), qe_identity(mrsigner="00" * 32)), ["qe-identity"], "another signer"),
        (documents(tcb_info(), qe_identity(isvprodid=3)), ["qe-identity"], "another product"),
        (documents(tcb_info(), qe_identity(miscselect="01000000")), ["qe-identity"], "another miscselect"),
        (documents(tcb_info(), qe_identity(attributes="15" + "00" * 15)), ["qe-identity"], "another attributes"),
        (documents(tcb_info(), qe_identity(isvprodid=-2)), ["qe-identity"], "cannot be read: isvprodid is no number"),
        (
            documents(tcb_info(), qe_identity(tcbLevels=[{"tcb": {"isvsvn": 1}}])),
            ["qe-identity"],
            "tcbStatus is no text",
        ),
    ],
)
def test_each_fault_of_collateral(collateral: Collateral, codes: list[str], text: str) -> None:
    found = verify(collateral=collateral)
    assert [one.code for one in found.findings if one.passed is False] == codes
    assert text in "; ".join(text_of(found, code) for code in codes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"mrsigner": "01" * 48}, "signed by another"),
        ({"attributes": "01" * 8}, "other attributes"),
        ({"tcbLevels": [level(isvsvn=9)]}, "the SVN of the TDX module, 6, is below every level"),
        ({"tcbLevels": [level("OutOfDate", isvsvn=6)]}, "is OutOfDate"),
        ({"attributesMask": "01"}, ""),
    ],
)
def test_the_tdx_module_has_to_be_intels(changes: dict[str, Any], text: str) -> None:
    identity = {"id": "TDX_01", **module(), "tcbLevels": [level(isvsvn=4)], **changes}
    found = verify(collateral=documents(tcb_info(tdxModuleIdentities=[identity]), qe_identity()))
    assert failed(found) == (["tdx-module"] if text else ["tcb-status"])
    assert text in text_of(found, "tdx-module")


def test_a_tdx_module_before_version_1_has_no_status_of_its_own() -> None:
    """Then its first two SVNs are compared with the levels of the platform."""
    body = b"\3\0\3" + td_report()[3:]
    low = documents(tcb_info(tcbLevels=[tcb_level(tdx=(4, 0, 3, *bytes(13)))]), qe_identity())
    high = documents(tcb_info(tcbLevels=[tcb_level(tdx=(3, 0, 3, *bytes(13)))]), qe_identity())
    assert failed(verify(quote(body), collateral=low)) == ["tcb-status"]
    assert verify(quote(body), collateral=high).verified


@pytest.mark.parametrize("status", ["SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded"])
def test_a_status_that_a_quote_cannot_meet_is_shown_and_strictly_refused(status: str) -> None:
    advised = tcb_level(status) | {"advisoryIDs": ["INTEL-SA-00001"]}
    collateral = documents(tcb_info(tcbLevels=[advised]), qe_identity())
    found = verify(collateral=collateral)
    assert (found.verified, found.failed) == (False, False)
    assert f"is {status} (level of 2026-01-01; INTEL-SA-00001)" in text_of(found, "tcb-status")
    assert failed(verify(collateral=collateral, strict=True)) == ["tcb-status"]
    unreadable = documents(tcb_info(tcbLevels=[tcb_level() | {"advisoryIDs": 3}]), qe_identity())
    assert failed(verify(collateral=unreadable)) == ["tcb-status"]


def test_the_newest_document_counts() -> None:
    older = tcb_info(issueDate=day(-12), tcbLevels=[tcb_level("Revoked")])
    assert verify(collateral=documents(older, tcb_info(), qe_identity())).verified


def test_a_document_that_nobody_signed_hides_no_other() -> None:
    newer = {"issueDate": "9999-01-01T00:00:00Z"}
    unsigned = documents(tcb_info(**newer), qe_identity(**newer), signer="another")
    joined = Collateral((*unsigned.documents, *WHOLE.documents), WHOLE.certificates, WHOLE.lists)
    assert verify(collateral=joined, strict=True).verified
    assert failed(verify(collateral=unsigned)) == ["tcb-info", "qe-identity"]


def test_a_document_that_another_signed_hides_no_other() -> None:
    newer = documents(tcb_info(issueDate=day(0)), signer="another")
    impostor = intel_certificate(TCB_SIGNING, issuer=TCB_SIGNING, signer="another", key=p256_key("another"))
    joined = Collateral((*newer.documents, *WHOLE.documents), (impostor, *WHOLE.certificates), WHOLE.lists)
    assert verify(collateral=joined, strict=True).verified


def test_the_newest_of_many_counts() -> None:
    older = [tcb_info(issueDate=day(-12)) for _ in range(20)]
    found = documents(*older, tcb_info(tcbLevels=[tcb_level("Revoked")]), qe_identity())
    assert failed(verify(collateral=found)) == ["tcb-status"]
