"""Endorsement: the certificate chain of a report. A root that came from the host verifies nothing by itself."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from catalog.abi.report import AttestationReport
from catalog.endorse import endorsement as endorsement_module
from catalog.endorse.certificate import Certificate, RsaKey
from catalog.endorse.certificate_signatures import has_signed
from catalog.endorse.certificates import parse_certificates
from catalog.endorse.endorsement import AMD_ROOTS, Endorsement, check_root, verify_report
from catalog.errors import UsageError
from tests.support.attestation_builder import (
    NOW,
    Chain,
    ca_key,
    certificate,
    certificate_table,
    chain,
    leaf_key,
    report_bytes,
    signed,
)
from tests.support.certificate_builder import CRL_POINTS
from tests.support.endorsements import VLEK, failed, findings_of, judged

VCEK_GUID = UUID("63da758d-e664-4564-adc5-f4b93be8accd").bytes
ASK_GUID = UUID("4ab7b379-bbac-4fe4-a02f-05aef327c782").bytes
ARK_GUID = UUID("c0b406a4-a803-4952-9743-3fb6014cd0ae").bytes
GOOD = signed(report_bytes())
DAY = 86400


def one(where: str, **other: Any) -> dict[str, Any]:
    """Changes to one certificate, as arguments of `chain`."""
    return {where: other}


def by(certificates: list[Certificate], *roots: Certificate) -> Endorsement:
    return verify_report(AttestationReport.parse(GOOD), certificates, NOW, roots)


def table_of(made: Chain) -> list[Certificate]:
    """The chain as the certificate table that a host hands to its guest."""
    ders = [certificate.der for certificate in made.all]
    return parse_certificates(certificate_table(dict(zip((VCEK_GUID, ASK_GUID, ARK_GUID), ders, strict=True))))


def test_a_root_that_the_host_brought_verifies_nothing() -> None:
    endorsement = by(table_of(chain()))
    assert not endorsement.verified
    assert failed(endorsement) == ["root"]
    assert "not one of AMD's, nor given as a root" in findings_of(endorsement, "root")[0].text
    assert (endorsement.root, endorsement.trusted_by) == (None, None)


def test_a_given_root_verifies_a_chain_from_any_source() -> None:
    made = chain()
    for certificates in (table_of(made), [made.leaf, made.ask]):
        endorsement = by(certificates, made.ark)
        assert endorsement.verified
        assert (endorsement.root, endorsement.trusted_by) == (None, "given")
        assert "not one of AMD's, but given as a root" in findings_of(endorsement, "root")[0].text


def test_amds_roots_are_recognised_by_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    made = chain()
    monkeypatch.setattr(endorsement_module, "AMD_ROOTS", {hashlib.sha256(made.ark.der).hexdigest(): "Milan"})
    endorsement = by(table_of(made))
    assert endorsement.verified
    assert (endorsement.root, endorsement.trusted_by) == ("Milan", "amd")
    broken = by([chain(leaf={"signer": "another"}).leaf, made.ask, made.ark])
    assert failed(broken) == ["chain"]
    assert (broken.root, broken.trusted_by) == (None, None)


def test_there_are_three_amd_roots() -> None:
    assert sorted(AMD_ROOTS.values()) == ["Genoa", "Milan", "Turin"]
    assert all(len(bytes.fromhex(fingerprint)) == 32 for fingerprint in AMD_ROOTS)


def test_a_certificate_with_the_name_and_key_of_a_root_is_not_that_root() -> None:
    made, again = chain(), chain()
    assert made.ark.key == again.ark.key
    assert not by([made.leaf, made.ask, made.ark, again.ark]).verified
    assert by([made.leaf, made.ask, again.ark], made.ark).verified  # it has also signed the ASK
    other = chain(ark={"key": ca_key("another"), "signer": "another"}).ark
    assert failed(by(made.all, other)) == ["root"]


@pytest.mark.parametrize("where", ["leaf", "ask", "ark"])
@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"signer": "another"}, id="signed by another key"),
        pytest.param({"salt": None}, id="PKCS #1 1.5"),
        pytest.param({"salt": 32}, id="other salt"),
        pytest.param({"mgf": hashes.SHA256()}, id="other mask"),
        pytest.param({"digest": hashes.SHA256()}, id="SHA-256"),
        pytest.param({"issuer_organization": "Another"}, id="issuer of that name in another organization"),
    ],
)
def test_other_signature_algorithms_than_amds_are_refused(where: str, other: dict[str, Any]) -> None:
    for report, key in ((GOOD, "VCEK"), (signed(report_bytes(**VLEK)), "VLEK")):
        assert failed(judged(report, chain(key=key, **one(where, **other)))) == ["chain"]


@pytest.mark.parametrize("where", ["ask", "ark"])
@pytest.mark.parametrize("ca", [False, None])
def test_an_issuer_that_is_no_ca_is_refused(where: str, ca: bool | None) -> None:
    assert failed(judged(GOOD, chain(**one(where, ca=ca)))) == ["chain"]


def test_an_issuer_whose_key_is_not_rsa_is_refused() -> None:
    assert failed(judged(GOOD, chain(ask={"key": leaf_key("ask")}))) == ["chain"]


def test_an_issuer_without_a_name_is_refused() -> None:
    made = chain(leaf={"issuer": "", "signer": "SEV-Milan"})
    nameless = certificate("", issuer="ARK-Milan", key=ca_key("SEV-Milan"), ca=True)
    report = AttestationReport.parse(GOOD)
    endorsement = verify_report(report, [made.leaf, nameless, made.ark], NOW, [made.ark])
    assert failed(endorsement) == ["chain", "product"]
    assert findings_of(endorsement, "product")[0].text == "the VCEK is of Milan-B0, issued for none"


@pytest.mark.parametrize(
    ("key", "leaf", "ask"),
    [
        pytest.param("VCEK", {"issuer": "SEV-VLEK-Milan"}, None, id="VCEK by an ASVK"),
        pytest.param("VLEK", {"issuer": "SEV-Milan"}, None, id="VLEK by an ASK"),
        pytest.param("VCEK", {}, {"issuer": "ARK-Genoa"}, id="ASK by the ARK of another product"),
        pytest.param("VCEK", {"issuer": "ARK-Milan"}, None, id="VCEK by an ARK"),
    ],
)
def test_each_certificate_names_the_right_issuer(key: str, leaf: dict[str, Any], ask: dict[str, Any] | None) -> None:
    """The issuer's name has to match even if the named issuer did sign."""
    others = [chain(), chain(key="VLEK"), chain(product="Genoa")]
    made = chain(key=key, leaf=leaf, ask=ask)
    report = AttestationReport.parse(signed(report_bytes(key_info=4 if key == "VLEK" else 0)))
    given = [*made.all, *(certificate for other in others for certificate in (other.ask, other.ark))]
    roots = [made.ark, *(other.ark for other in others)]
    assert failed(verify_report(report, given, NOW, roots)) == ["chain"]


@pytest.mark.parametrize("where", ["leaf", "ask", "ark"])
def test_every_certificate_is_valid_from_its_first_to_its_last_second(where: str) -> None:
    made = chain(days=9000, **one(where, since=10, days=20))
    first, last = NOW - 10 * DAY, NOW + 10 * DAY
    for now, fails in ((first, []), (last, []), (first - 1, ["validity"]), (last + 1, ["validity"])):
        assert failed(judged(GOOD, made, now)) == fails


def test_validity_is_reported_for_each_certificate() -> None:
    details = [finding.text for finding in findings_of(judged(GOOD, chain()), "validity")]
    assert details == [
        "the VCEK is valid from 2026-05-02 to 2027-05-02",
        "the ASK is valid from 2026-05-02 to 2050-12-22",
        "the ARK is valid from 2026-05-02 to 2050-12-22",
    ]


def test_a_complete_chain_is_reported_link_by_link() -> None:
    for report, key, middle, name in (
        (GOOD, "VCEK", "ASK", "SEV-Milan"),
        (signed(report_bytes(**VLEK)), "VLEK", "ASVK", "SEV-VLEK-Milan"),
    ):
        assert [(f.passed, f.text) for f in findings_of(judged(report, chain(key=key)), "chain")] == [
            (True, f"the {key} is signed by the {middle}, {name}"),
            (True, f"the {middle} is signed by the ARK, ARK-Milan"),
            (True, "the ARK is signed by itself"),
        ]


def test_links_above_a_broken_one_are_still_reported() -> None:
    changed: tuple[dict[str, Any], ...] = ({"leaf": {"signer": "another"}}, {"ask": {"ca": False}})
    for changes in changed:
        endorsement = judged(GOOD, chain(**changes))
        details = [finding.text for finding in endorsement.findings]
        assert "the VCEK is not signed by the ASK given" in details
        assert "the ARK is signed by itself" in details
        assert len(findings_of(endorsement, "validity")) == 3
        assert findings_of(endorsement, "root")[0].passed
        assert endorsement.trusted_by is None
    elsewhere = judged(GOOD, chain(leaf={"issuer_organization": "Another"}))
    assert "the VCEK is issued by an ASK that is not given" in [finding.text for finding in elsewhere.findings]
    assert len(findings_of(elsewhere, "validity")) == 3


def test_the_issuer_that_signed_is_found_among_several_of_one_name() -> None:
    made, other = chain(), chain(ask={"key": ca_key("another"), "days": 20})
    for middle in ([other.ask, made.ask], [made.ask, other.ask]):
        assert by([made.leaf, *middle, made.ark], made.ark).verified


@pytest.mark.parametrize(
    ("missing", "detail"),
    [(0, "VCEK certificate"), (1, "issued by an ASK that is not given"), (2, "issued by an ARK that is not given")],
)
def test_missing_certificates_are_reported(missing: int, detail: str) -> None:
    certificates = chain().all
    del certificates[missing]
    endorsement = by(certificates)
    assert not endorsement.verified
    assert any(detail in finding.text for finding in endorsement.findings if finding.passed is False)
    assert not findings_of(endorsement, "root")


def test_a_root_is_a_self_signed_ark() -> None:
    made = chain()
    check_root(made.ark)
    for below in (made.leaf, made.ask):
        with pytest.raises(UsageError, match="--root must be an ARK certificate"):
            check_root(below)
    with pytest.raises(UsageError, match="must be an ARK certificate, got ''"):
        check_root(certificate("", issuer="", key=ca_key("another"), signer="another", ca=True))
    with pytest.raises(UsageError, match="'ARK-Milan' is not a CA certificate"):
        check_root(chain(ark={"ca": False}).ark)
    with pytest.raises(UsageError, match="'ARK-Milan' is not self-signed: issuer and subject differ"):
        check_root(chain(ark={"issuer_organization": "Another"}).ark)


@pytest.mark.parametrize("ark", [{"signer": "another"}, {"salt": 32}, {"salt": None}])
def test_a_root_with_another_signature_algorithm_is_refused(ark: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="'ARK-Milan' has no valid RSASSA-PSS self-signature"):
        check_root(chain(ark=ark).ark)


def test_an_expired_chain_is_still_reported_link_by_link() -> None:
    made = chain(leaf={"days": 20})
    endorsement = by(made.all, made.ark)
    assert failed(endorsement) == ["validity"]
    assert endorsement.trusted_by == "given"


def test_if_no_issuer_signed_the_one_with_the_right_name_is_reported() -> None:
    made = chain(leaf={"signer": "another"})
    elsewhere = chain(ask={"organization": "Another", "days": 20})
    details = [finding.text for finding in by([made.leaf, elsewhere.ask, made.ask, made.ark]).findings]
    assert "the VCEK is not signed by the ASK given" in details
    assert "the ASK is valid from 2026-05-02 to 2050-12-22" in details


def test_an_unknown_critical_extension_breaks_a_chain() -> None:
    for where, fails in (("leaf", ["chain"]), ("ask", ["chain"]), ("ark", ["chain"])):
        made = chain(**one(where, critical=("4", CRL_POINTS)))
        assert failed(by(made.all, made.ark)) == fails
    made = chain(leaf={"critical": ("4",)})
    texts = [finding.text for finding in findings_of(by(made.all, made.ark), "chain")]
    assert "the VCEK has a critical extension that is unknown here" in texts


def test_a_root_may_sign_certificates_and_an_issuer_too() -> None:
    for where in ("ask", "ark"):
        assert failed(judged(GOOD, chain(**one(where, usage=0x02)))) == ["chain"]
    with pytest.raises(UsageError, match="keyUsage"):
        check_root(chain(ark={"usage": 0x02}).ark)


def test_only_so_many_issuers_of_one_name_are_tried() -> None:
    made, other = chain(), chain(ask={"key": ca_key("another")})
    for count, fails in ((31, []), (32, ["chain"])):
        assert failed(by([made.leaf, *[other.ask] * count, made.ask, made.ark], made.ark)) == fails


@pytest.mark.parametrize(
    "numbers", [(3, 1 << 2047), (1, (1 << 2047) + 1), (2, 1 << 2046), (65537, 1 << 8192), (65536, (1 << 2047) + 1)]
)
def test_odd_rsa_keys_verify_nothing(numbers: tuple[int, int]) -> None:
    exponent, modulus = numbers
    made = chain()
    assert not has_signed(RsaKey(modulus, exponent), made.leaf.signed)


def test_keys_of_2048_to_8192_bits_are_taken() -> None:
    made = chain()
    assert has_signed(made.ask.key, made.leaf.signed)
    small = rsa.generate_private_key(65537, 1536).public_key().public_numbers()
    assert not has_signed(RsaKey(small.n, small.e), made.leaf.signed)
