"""Revocation: a list counts if the ARK has signed it and it is valid; then ASK, ASVK and ARK are looked up in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from catalog.abi.report import AttestationReport
from catalog.endorse.certificates import parse_revocation_lists
from catalog.endorse.crl import MAX_REVOKED, RevocationList
from catalog.endorse.crl_findings import MOST_LISTS
from catalog.endorse.endorsement import Endorsement, verify_report
from catalog.errors import MalformedInput
from tests.support.attestation_builder import NOW, SERIALS, chain, report_bytes, signed
from tests.support.certificate_builder import (
    SEQUENCE,
    TRUE,
    der,
    extension,
    identifier,
    number,
    pem,
    read_list,
    revocation_list,
)
from tests.support.endorsements import VLEK, failed, findings_of

DAY = 86400
REASON = extension("2.5.29.21", bytes.fromhex("0a0101"))
ISSUED_BY = extension("2.5.29.29", b"x", critical=True)
NUMBER = extension("2.5.29.20", bytes.fromhex("020101"))


def judged(*lists: bytes, vlek: bool = False, now: float = NOW, **changes: Any) -> Endorsement:
    made = chain(key="VLEK" if vlek else "VCEK", days=4000, **changes)
    report = AttestationReport.parse(signed(report_bytes(**(VLEK if vlek else {}))))
    return verify_report(report, made.all, now, [made.ark], [read_list(one) for one in lists])


def said(endorsement: Endorsement) -> tuple[bool | None, str]:
    (found,) = findings_of(endorsement, "revocation")
    return found.passed, found.text


def test_without_a_list_revocation_is_not_looked_up() -> None:
    assert said(judged()) == (None, "not looked up: no CRL is given")


def test_a_chain_that_the_list_does_not_name_is_verified() -> None:
    for lists in ([revocation_list()], [revocation_list(serials=[0, 1, 65538], entry_extensions=REASON)]):
        endorsement = judged(*lists)
        assert said(endorsement) == (True, "neither ASK nor ARK is in the CRL, which is valid until 2027-05-02")
        assert endorsement.verified
    assert said(judged(revocation_list(extensions=NUMBER), vlek=True))[1].startswith("neither ASVK nor ARK")


def test_a_revoked_certificate_fails() -> None:
    for serial, vlek, what in (
        (SERIALS["ASK"], False, "ASK"),
        (SERIALS["ASVK"], True, "ASVK"),
        (SERIALS["ARK"], False, "ARK"),
    ):
        endorsement = judged(revocation_list(serials=[1, serial]), vlek=vlek)
        assert failed(endorsement) == ["revocation"]
        assert said(endorsement) == (False, f"the {what} is revoked by the CRL of 2026-05-02")
    assert judged(revocation_list(serials=[SERIALS["ASVK"]])).verified


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"issuer": "ARK-Genoa"}, "no CRL given is of ARK-Milan"),
        ({"signer": "another"}, "the ARK, ARK-Milan, has not signed the CRL"),
        ({"days": 20}, "the CRL is valid from 2026-05-02 to 2026-05-22"),
        ({"since": -1}, "the CRL is valid from 2026-06-02 to 2027-06-02"),
        ({"days": None}, "the CRL is valid from 2026-05-02 to no date"),
        ({"extensions": ISSUED_BY}, "the CRL has a critical extension that is unknown here"),
        ({"serials": [1], "entry_extensions": ISSUED_BY}, "the CRL has a critical extension that is unknown here"),
    ],
)
def test_a_list_that_does_not_count_fails(changes: dict[str, Any], why: str) -> None:
    endorsement = judged(revocation_list(**changes))
    assert failed(endorsement) == ["revocation"]
    assert said(endorsement) == (False, why)


def test_a_list_is_valid_from_its_first_to_its_last_second() -> None:
    one = revocation_list(since=0, days=1)
    times = {NOW - 1: False, NOW: True, NOW + DAY: True, NOW + DAY + 1: False}
    assert {now: judged(one, now=now).verified for now in times} == times


def test_the_newest_list_of_the_root_counts() -> None:
    old, new = revocation_list(since=20), revocation_list(serials=[SERIALS["ASK"]], since=10)
    for lists in ((old, new), (new, old), (new, revocation_list(issuer="ARK-Genoa"), old)):
        assert said(judged(*lists)) == (False, "the ASK is revoked by the CRL of 2026-05-22")
    forged = revocation_list(since=1, signer="another")
    assert said(judged(new, forged))[1] == "the ASK is revoked by the CRL of 2026-05-22"


def test_only_so_many_lists_are_verified() -> None:
    assert MOST_LISTS == 16
    forged = [revocation_list(signer="another")] * MOST_LISTS
    assert said(judged(*forged[1:], revocation_list()))[0] is True
    assert said(judged(*forged, revocation_list()))[0] is False


def test_a_broken_chain_has_nothing_to_look_up() -> None:
    why = "not looked up: the chain from the ASK to the ARK is broken"
    broken: list[dict[str, Any]] = [{"leaf": {"signer": "another"}}, {"ask": {"signer": "another"}}]
    for changes in broken:
        assert said(judged(revocation_list(), **changes)) == (False, why)
    made = chain()
    report = AttestationReport.parse(signed(report_bytes()))
    for some in ([made.leaf], [made.leaf, made.ask]):
        assert said(verify_report(report, some, NOW, [], [read_list(revocation_list())])) == (False, why)


def test_a_root_that_may_not_sign_lists_signs_none() -> None:
    endorsement = judged(revocation_list(), ark={"usage": 0x04})
    assert failed(endorsement) == ["revocation"]
    assert said(endorsement)[1] == "the ARK, ARK-Milan, has not signed the CRL"


def test_lists_are_read_from_pem_and_der_as_a_library_reads_them() -> None:
    one, other = revocation_list(serials=[1, 300], extensions=NUMBER), revocation_list(issuer="ARK-Genoa")
    assert parse_revocation_lists(one) == [RevocationList.parse(one)]
    both = pem(one, "X509 CRL") + b"and\n" + pem(other, "X509 CRL")
    assert parse_revocation_lists(both) == [RevocationList.parse(one), RevocationList.parse(other)]
    theirs, found = x509.load_der_x509_crl(one), RevocationList.parse(one)
    assert found.signed.issuer == theirs.issuer.public_bytes()
    assert found.signed.data == theirs.tbs_certlist_bytes
    assert found.serials == {revoked.serial_number for revoked in theirs}
    assert datetime.fromtimestamp(found.this_update.seconds, UTC) == theirs.last_update_utc
    assert found.next_update is not None
    assert datetime.fromtimestamp(found.next_update.seconds, UTC) == theirs.next_update_utc


def test_other_files_and_lists_that_are_too_long_are_refused() -> None:
    entry = der(SEQUENCE, number(1), der(0x17, b"260101000000Z"))
    good = revocation_list(serials=[1])
    for data in (
        b"",
        chain().ask.der,
        good[:-1],
        good + b"\0",
        good.replace(b"\x02\x01\x01\x30", b"\x02\x01\x00\x30", 1),
        revocation_list(entry_extensions=der(4, b"x"), serials=[1]),
        revocation_list(entry_extensions=der(SEQUENCE, identifier("1.2"), TRUE), serials=[1]),
        revocation_list(
            entry_extensions=der(SEQUENCE, identifier("1.2"), bytes.fromhex("010100"), der(4)), serials=[1]
        ),
        b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
        b"-----BEGIN X509 CRL-----\nAAAA\n",
        b"BEGIN X509 CRL",
        pem(good, "X509 CRL").replace(b"-----BEGIN", b"----BEGIN"),
        b"-----BEGIN X509 CRL-----\nA*A\n-----END X509 CRL-----\n",
    ):
        with pytest.raises(MalformedInput, match="no certificate revocation list"):
            parse_revocation_lists(data)
    assert len(entry) == 20
    assert len(RevocationList.parse(revocation_list(serials=range(MAX_REVOKED))).serials) == MAX_REVOKED
    with pytest.raises(MalformedInput, match="more than 10,000 entries"):
        parse_revocation_lists(revocation_list(serials=range(MAX_REVOKED + 1)))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    for text in (data, b"-----BEGIN X509 CRL-----" + data):
        with pytest.raises(MalformedInput):
            parse_revocation_lists(text)
