"""Endorsement: the signature of a report, and what its VCEK or VLEK states about the platform.

Each check has a case here that only this check fails. The certificate chain is in test_endorsement_chain.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from omne_attest import vectors

from catalog.abi.report import SIGNED_SIZE, AttestationReport
from catalog.endorse.certificate import Certificate
from catalog.endorse.certificates import parse_certificates
from catalog.endorse.endorsement import verify_report
from catalog.endorse.report_finding import Finding
from tests.support.attestation_builder import (
    CHIP,
    NOW,
    SPL,
    TCB,
    ca_key,
    chain,
    der,
    ia5,
    leaf_key,
    report_bytes,
    signed,
)
from tests.support.endorsements import VLEK, failed, findings_of, judged

TURIN = {"fmc": 1, **TCB}
TURIN_TCB = bytes([1, TCB["bootloader"], TCB["tee"], TCB["snp"], 0, 0, 0, TCB["microcode"]])
SHORT_CHIP = CHIP[:8].ljust(64, b"\0")
LIKE_DER = der(4, CHIP[:6])
TURIN_REPORT: dict[str, Any] = {"cpuid": (0x1A, 2, 1), "tcb": TURIN_TCB, "chip": SHORT_CHIP}
TURIN_CHAIN: dict[str, Any] = {"product": "Turin", "stepping": "", "tcb": TURIN, "chip": CHIP[:8]}


def test_a_real_report_is_verified_with_amds_chain() -> None:
    certificates = [
        found for der in (vectors.vcek(), vectors.ask(), vectors.ark()) for found in parse_certificates(der)
    ]
    now = datetime(2026, 9, 1, tzinfo=UTC).timestamp()
    endorsement = verify_report(AttestationReport.parse(vectors.attestation()), certificates, now)
    assert endorsement.verified
    assert (endorsement.root, endorsement.trusted_by) == ("Milan", "amd")
    assert "AMD's for Milan" in findings_of(endorsement, "root")[0].text
    changed = bytearray(vectors.attestation())
    changed[0x90] ^= 1
    assert failed(verify_report(AttestationReport.parse(bytes(changed)), certificates, now)) == ["signature"]
    assert failed(verify_report(AttestationReport.parse(vectors.attestation()), certificates, NOW)) == ["validity"]


@pytest.mark.parametrize(
    ("report", "changes"),
    [
        pytest.param({}, {}, id="VCEK"),
        pytest.param(VLEK, {"key": "VLEK"}, id="VLEK"),
        pytest.param(TURIN_REPORT, TURIN_CHAIN, id="Turin, chip id bare"),
        pytest.param(TURIN_REPORT, {**TURIN_CHAIN, "chip": der(4, CHIP[:8])}, id="Turin, chip id an octet string"),
        pytest.param(
            TURIN_REPORT | {"chip": LIKE_DER.ljust(64, b"\0")},
            {**TURIN_CHAIN, "chip": LIKE_DER},
            id="Turin, chip id bare that looks like an octet string",
        ),
        pytest.param({}, {"chip": der(4, CHIP)}, id="Milan, chip id an octet string"),
        pytest.param({"cpuid": (0x19, 0xA0, 2)}, {"product": "Genoa"}, id="Siena has Genoa's"),
        pytest.param({"version": 2}, {}, id="a report without its product"),
        pytest.param({"cpuid": (0x19, 0x50, 1)}, {}, id="a report of an unknown product"),
        pytest.param({"chip": bytes(64)}, {}, id="masked chip id"),
        pytest.param({}, {"leaf": {"extensions": {SPL["microcode"]: der(2, b"\0\xd5")}}}, id="a number of two bytes"),
    ],
)
def test_reports_that_match_their_certificate_are_endorsed(report: dict[str, Any], changes: dict[str, Any]) -> None:
    endorsement = judged(signed(report_bytes(**report)), chain(**changes))
    assert failed(endorsement) == []
    assert endorsement.verified


OTHERWISE = [
    pytest.param({}, {"chip": CHIP[::-1]}, "chip", id="other chip"),
    pytest.param({"chip": CHIP[:-1] + b"\0"}, {}, "chip", id="other chip in the last byte"),
    pytest.param({}, {"chip": b"x"}, "chip", id="no chip id"),
    pytest.param({}, {"leaf": {"extensions": {"4": None}}}, "chip", id="chip id missing"),
    pytest.param(TURIN_REPORT | {"chip": CHIP}, TURIN_CHAIN, "chip", id="a chip id that is a prefix"),
    pytest.param(
        {"chip": SHORT_CHIP},
        {"chip": der(4, CHIP[:8] + b"\0")},
        "chip",
        id="a chip id of neither size that is a prefix",
    ),
    pytest.param({"chip": SHORT_CHIP}, {"chip": der(4, CHIP[:7])}, "chip", id="a chip id that is too short"),
    pytest.param({}, {"chip": der(5, CHIP)}, "chip", id="a chip id that is no octet string"),
    pytest.param({"cpuid": (0x19, 0x11, 1)}, {}, "product", id="report of another product"),
    pytest.param({}, {"stepping": None}, "product", id="product missing"),
    pytest.param({"version": 2}, {"leaf": {"extensions": {"2": ia5("Genoa-B1")}}}, "product", id="issuer's line"),
    pytest.param({"version": 2}, {"leaf": {"extensions": {"2": ia5("Mila")}}}, "product", id="part of the line"),
    pytest.param({"version": 2}, {"leaf": {"extensions": {"2": b"\x0c\x05Milan"}}}, "product", id="not in IA5"),
    pytest.param(VLEK, {"key": "VLEK", "leaf": {"extensions": {"5": None}}}, "provider", id="provider missing"),
    pytest.param({}, {"tcb": TURIN}, "tcb", id="fmc certified, none reported"),
    pytest.param(TURIN_REPORT, {**TURIN_CHAIN, "tcb": TCB}, "tcb", id="fmc reported, none certified"),
    pytest.param(TURIN_REPORT, {**TURIN_CHAIN, "tcb": {**TURIN, "fmc": 0}}, "tcb", id="other fmc"),
    *(
        pytest.param({}, {"tcb": {**TCB, part: TCB[part] + by}}, "tcb", id=f"other {part}, {by:+}")
        for part in TCB
        for by in (-1, 1)
        if TCB[part] + by >= 0
    ),
    *(pytest.param({}, {"leaf": {"extensions": {SPL[part]: None}}}, "tcb", id=f"{part} missing") for part in TCB),
    pytest.param({}, {"leaf": {"extensions": {SPL["snp"]: der(4, b"\x16")}}}, "tcb", id="a number in another tag"),
    pytest.param({}, {"leaf": {"extensions": {SPL["snp"]: b"\x02\x02\x16"}}}, "tcb", id="a number cut short"),
    pytest.param({}, {"leaf": {"extensions": {SPL["snp"]: b"\x02\x01\x16\0"}}}, "tcb", id="a number with more behind"),
    pytest.param({}, {"leaf": {"extensions": {SPL["tee"]: der(2, b"")}}}, "tcb", id="a number of no bytes"),
]


@pytest.mark.parametrize(("report", "changes", "check"), OTHERWISE)
def test_a_report_of_another_platform_is_not_endorsed(
    report: dict[str, Any], changes: dict[str, Any], check: str
) -> None:
    endorsement = judged(signed(report_bytes(**report)), chain(**changes))
    assert failed(endorsement) == [check]
    assert not endorsement.verified


def test_each_tcb_component_is_reported_by_name() -> None:
    endorsement = judged(signed(report_bytes()), chain())
    assert [finding.text for finding in findings_of(endorsement, "tcb")] == [
        "bootloader: reported 4, certified 4",
        "tee: reported 0, certified 0",
        "snp: reported 22, certified 22",
        "microcode: reported 213, certified 213",
    ]


def test_undecided_checks_are_reported() -> None:
    endorsement = judged(signed(report_bytes(chip=bytes(64))), chain())
    undecided = {finding.code: finding.text for finding in endorsement.findings if finding.passed is None}
    assert undecided == {
        "chip": "the platform masks the chip ID, so it cannot be compared",
        "revocation": "not looked up: no CRL is given",
    }
    (product, reported) = findings_of(judged(signed(report_bytes()), chain()), "product")
    assert product.text == "the VCEK is of Milan-B0, issued for Milan"
    assert reported.text == "the report is of Milan, the VCEK of Milan-B0"
    (provider,) = findings_of(judged(signed(report_bytes(**VLEK)), chain(key="VLEK")), "provider")
    assert provider.text == "the VLEK was loaded by cloud.example"
    nameless = chain(key="VLEK", leaf={"extensions": {"5": None}})
    (provider,) = findings_of(judged(signed(report_bytes(**VLEK)), nameless), "provider")
    assert provider.text == "the VLEK names no provider"


def test_a_missing_product_name_is_reported() -> None:
    endorsement = judged(signed(report_bytes()), chain(stepping=None))
    assert [(f.passed, f.text) for f in findings_of(endorsement, "product")] == [(False, "the VCEK names no product")]


def test_the_signature_covers_everything_before_it() -> None:
    good, made = signed(report_bytes(version=5)), chain()
    assert not failed(judged(good, made))
    for at in (0x04, 0x50, 0x90, 0x207):
        changed = bytearray(good)
        changed[at] ^= 1
        assert failed(judged(bytes(changed), made)) == ["signature"]


def test_invalid_signatures_are_refused() -> None:
    good, made = signed(report_bytes()), chain()
    for changed in (
        report_bytes(),
        signed(report_bytes(), "another"),
        good[:0x2A0] + b"\xff" * 72 + good[0x2E8:],
        good[:0x2E8] + b"\xff" * 72 + good[0x330:],
        _signed_with(hashes.SHA256(), report_bytes()),
    ):
        endorsement = judged(changed, made)
        assert failed(endorsement) == ["signature"]
        assert (
            findings_of(endorsement, "signature")[0].text == "none of the VCEK certificates given has signed the report"
        )
    assert findings_of(judged(good, made), "signature")[0].text == "of the report by the VCEK"
    for number in (0, 2, 1 << 31):
        algorithm = report_bytes()[:0x34] + number.to_bytes(4, "little") + report_bytes()[0x38:]
        endorsement = judged(signed(algorithm), made)
        assert failed(endorsement) == ["signature"]
        (found,) = findings_of(endorsement, "signature")
        assert found.text == f"signature algorithm {number} is not known to this version"
    unsigned = judged(signed(report_bytes(key_info=7 << 2)), made)
    assert [(f.passed, f.text) for f in unsigned.findings] == [(False, "the report says that it is not signed")]
    assert leaf_key("leaf") is not leaf_key("another")


def test_a_key_on_another_curve_does_not_verify() -> None:
    for key in (ca_key("leaf"), ec.generate_private_key(ec.SECP256R1())):
        assert failed(judged(signed(report_bytes()), chain(leaf={"key": key}))) == ["signature"]
    other = ec.generate_private_key(ec.BrainpoolP384R1())
    by_other = _signed_with(hashes.SHA384(), report_bytes(), other)
    assert failed(judged(by_other, chain(leaf={"key": other}))) == ["signature"]


def test_a_report_is_endorsed_only_by_the_type_of_key_that_it_names() -> None:
    for info, key, other in ((1 << 2, "VLEK", "VCEK"), (0, "VCEK", "VLEK")):
        endorsement = judged(signed(report_bytes(key_info=info)), chain(key=other))
        assert [(f.code, f.passed) for f in endorsement.findings] == [("signature", False)]
        assert f"no {key} certificate is given" in endorsement.findings[0].text
        assert (endorsement.root, endorsement.trusted_by) == (None, None)


def test_the_certificate_that_signed_is_found_among_several() -> None:
    made, other = chain(), chain(chip=CHIP[::-1], leaf={"key": leaf_key("another")})
    report = AttestationReport.parse(signed(report_bytes()))
    for leaves in ([other.leaf, made.leaf], [made.leaf, other.leaf]):
        assert verify_report(report, [*leaves, made.ask, made.ark], NOW, [made.ark]).verified


def test_every_failed_check_is_reported() -> None:
    made = chain(days=20, tcb={**TCB, "tee": 9}, chip=CHIP[::-1], leaf={"signer": "another"})
    endorsement = judged(signed(report_bytes(), "another"), made)
    assert failed(endorsement) == ["chain", "chip", "signature", "tcb", "validity"]


def _signed_with(digest: hashes.HashAlgorithm, report: bytes, key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    r, s = decode_dss_signature((key or leaf_key("leaf")).sign(report[:SIGNED_SIZE], ec.ECDSA(digest)))
    return report[:SIGNED_SIZE] + (r.to_bytes(72, "little") + s.to_bytes(72, "little")).ljust(512, b"\0")


def test_names_that_are_not_ascii_are_shown() -> None:
    odd = der(0x16, b"Milan\xff-B0")
    product, _ = findings_of(judged(signed(report_bytes()), chain(leaf={"extensions": {"2": odd}})), "product")
    assert (product.passed, product.text) == (False, "the VCEK is of Milan\ufffd-B0, issued for Milan")
    made = chain(key="VLEK", leaf={"extensions": {"5": der(0x16, b"cloud\xff")}})
    (provider,) = findings_of(judged(signed(report_bytes(**VLEK)), made), "provider")
    assert provider.text == "the VLEK was loaded by cloud\ufffd"


def test_a_finding_has_a_severity_and_is_json() -> None:
    by_outcome = {True: "ok", False: "danger", None: "info"}
    for passed, severity in by_outcome.items():
        wanted = {"code": "chip", "severity": severity, "passed": passed, "text": "why"}
        assert Finding("chip", passed, "why").to_dict() == wanted


def test_what_cannot_be_compared_fails_if_that_is_demanded() -> None:
    made = chain()
    masked = AttestationReport.parse(signed(report_bytes(chip=bytes(64))))
    for strict, fails in ((False, []), (True, ["chip"])):
        assert failed(verify_report(masked, made.all, NOW, [made.ark], strict=strict)) == fails
    whole = AttestationReport.parse(signed(report_bytes()))
    assert verify_report(whole, made.all, NOW, [made.ark], strict=True).verified
    by_vlek = chain(key="VLEK")
    vlek = AttestationReport.parse(signed(report_bytes(**VLEK, chip=bytes(64))))
    assert verify_report(vlek, by_vlek.all, NOW, [by_vlek.ark], strict=True).verified


def test_a_report_that_names_no_product_has_the_tcb_layout_of_its_certificate() -> None:
    raw = signed(report_bytes(version=2, tcb=TURIN_TCB, chip=bytes(64)))
    assert failed(judged(raw, chain(**TURIN_CHAIN))) == []
    before = signed(report_bytes(version=2, chip=SHORT_CHIP))
    assert failed(judged(before, chain(chip=SHORT_CHIP))) == []
    assert failed(judged(before, chain(**TURIN_CHAIN))) == ["tcb"]
    (found,) = findings_of(judged(before, chain(**TURIN_CHAIN)), "tcb")
    assert found.text == "reported 04000000000016d5, in a layout that is not known to this version"


def test_an_issuer_without_a_name_is_of_no_product() -> None:
    endorsement = judged(signed(report_bytes()), chain(leaf={"issuer": "", "signer": "SEV-Milan"}))
    assert failed(endorsement) == ["chain", "product"]
    assert findings_of(endorsement, "product")[0].text == "the VCEK is of Milan-B0, issued for none"


def test_a_report_that_names_its_product_has_the_tcb_layout_of_that() -> None:
    found = findings_of(judged(signed(report_bytes(**TURIN_REPORT)), chain()), "tcb")
    assert found[-1].text == "fmc: reported 1, certified None"


def test_a_product_that_is_not_compared_is_said() -> None:
    for changes, why in (
        ({"version": 2}, "the report names no product, as it has version 2"),
        ({"cpuid": (0x19, 0x50, 1)}, "the report names an unknown processor"),
    ):
        _, found = findings_of(judged(signed(report_bytes(**changes)), chain()), "product")
        assert (found.passed, found.text) == (None, why)


def test_a_negative_number_certifies_nothing() -> None:
    endorsement = judged(signed(report_bytes()), chain(leaf={"extensions": {SPL["microcode"]: b"\x02\x01\xd5"}}))
    assert failed(endorsement) == ["tcb"]
    assert findings_of(endorsement, "tcb")[-1].text == "microcode: reported 213, certified None"


def test_the_signer_is_found_among_many_certificates() -> None:
    made, other = chain(), chain(leaf={"key": leaf_key("another")})
    report = AttestationReport.parse(signed(report_bytes()))
    many = [other.leaf] * 255
    assert verify_report(report, [*many, *made.all], NOW, [made.ark]).verified
    endorsement = verify_report(report, [*many, other.leaf, *made.all], NOW, [made.ark])
    assert findings_of(endorsement, "signature")[0].text == (
        "none of the VCEK certificates given has signed the report (the first 256 of 257 were tried)"
    )
    endorsement = verify_report(report, [*many, other.leaf, *made.all[1:]], NOW, [made.ark])
    assert findings_of(endorsement, "signature")[0].text == "none of the VCEK certificates given has signed the report"


def test_a_point_that_is_not_on_the_curve_verifies_nothing() -> None:
    made = chain()
    point = made.leaf.key.point  # type: ignore[union-attr]
    off = Certificate.parse(made.leaf.der.replace(point, point[:-1] + bytes([point[-1] ^ 1])))
    report = AttestationReport.parse(signed(report_bytes()))
    assert failed(verify_report(report, [off, made.ask, made.ark], NOW, [made.ark])) == ["chain", "signature"]


def test_a_report_signed_by_an_unknown_key_is_refused() -> None:
    endorsement = judged(signed(report_bytes(key_info=3 << 2)), chain())
    assert [(one.code, one.passed, one.text) for one in endorsement.findings] == [
        ("signature", False, "the report is signed by a key that is not known to this version")
    ]
    assert not endorsement.verified
