"""Against google/go-sev-guest: it accepts the reports and certificates of the tests, so they are as AMD's, and both
refuse each change; and it accepts the reports that an exported config is for, and no other.

It does not compare the certificate with the platform, as ldcat does. Version 0.15.0 cannot read the VCEKs of Turin
(google/go-sev-guest#165).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from catalog.abi.report import SIGNED_SIZE, AttestationReport
from catalog.endorse.certificate import Certificate
from catalog.endorse.endorsement import verify_report
from catalog.endorse.kds import certificate_sources
from catalog.errors import LdcatError
from catalog.export.formats.check import FORMAT
from catalog.export.key_digests import key_digest
from catalog.export.settings import GivenFile, Settings
from tests.oracles.go_programs import GoProgram
from tests.oracles.go_sev_guest import go_sev_guest
from tests.support.attestation_builder import CHIP, NOW, SPL, TCB, Chain, chain, der, report_bytes, signed
from tests.support.certificate_builder import pem
from tests.support.endorsements import VLEK
from tests.support.exports import export_of

__all__ = ["go_sev_guest"]

GENOA: dict[str, Any] = {"cpuid": (0x19, 0x11, 1)}
DIGEST, OTHER = b"\x58" * 48, b"\x59" * 48
FAMILY, IMAGE = b"\1" * 16, b"\xff" * 16

SIGNATURE = 144
"""Bytes of a signature; the rest of its field is reserved."""

Question = dict[str, Any]


def question(report: bytes, made: Chain, product: str = "Milan") -> Question:
    key = AttestationReport.parse(report).signing_key.lower()
    trusted = {"middle": made.ask.der, "ark": made.ark.der}
    return {"product": product, "now": int(NOW), "report": report, key: made.leaf.der, **trusted}


certificate = lru_cache(Certificate.parse)
"""A parsed certificate: hundreds of reports come with the same ones."""


def ours_accepts(asked: Question) -> bool:
    """Our answer to a question that go-sev-guest is asked."""
    leaf = asked.get("vcek") or asked["vlek"]
    try:
        certificates = [certificate(data) for data in (leaf, asked["middle"], asked["ark"])]
        report = AttestationReport.parse(asked["report"])
    except LdcatError:
        return False
    return verify_report(report, certificates, asked["now"], certificates[-1:]).verified


def flipped(data: bytes, end: int, step: int = 1) -> Iterator[bytes]:
    """The data with one bit changed, of every byte, or every one of so many."""
    for at in range(0, end, step):
        yield data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("report", "changes"),
    [
        pytest.param({}, {}, id="Milan"),
        pytest.param({"version": 2}, {}, id="Milan, version 2"),
        pytest.param({"version": 5}, {}, id="Milan, version 5"),
        pytest.param(GENOA, {"product": "Genoa"}, id="Genoa"),
        pytest.param(VLEK, {"key": "VLEK", "stepping": ""}, id="Milan, VLEK"),
        pytest.param(GENOA | VLEK, {"key": "VLEK", "product": "Genoa", "stepping": ""}, id="Genoa, VLEK"),
        pytest.param({"chip": bytes(64)}, {}, id="masked chip id"),
        pytest.param({}, {"chip": der(4, CHIP)}, id="chip id an octet string"),
    ],
)
def test_reports_and_chains_of_the_tests_are_accepted(
    go_sev_guest: GoProgram, report: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert TCB["microcode"] == 213
    asked = question(signed(report_bytes(**report)), chain(**changes), changes.get("product", "Milan"))
    assert go_sev_guest.ask([asked]) == [{"error": ""}]
    assert ours_accepts(asked)


def test_it_asks_for_the_certificates_where_ldcat_finds_them(go_sev_guest: GoProgram) -> None:
    made, report = chain(), signed(report_bytes())
    contents = {"the VCEK": made.leaf.der, "the ASK": pem(made.ask.der) + pem(made.ark.der)}
    served = {
        re.sub(r"=0(?=\d)", "=", source.url or ""): data
        for source in certificate_sources(AttestationReport.parse(report))
        for what, data in contents.items()
        if source.what.startswith(what)
    }
    assert len(served) == 2
    asked = question(report, made) | {"served": served}
    other = report[:0x90] + bytes([report[0x90] ^ 1]) + report[0x91:]
    assert go_sev_guest.accepts([asked, asked | {"report": other}]) == [True, False]


@pytest.mark.parametrize("key", ["VCEK", "VLEK"])
def test_a_changed_report_is_refused_by_both(go_sev_guest: GoProgram, key: str) -> None:
    report = signed(report_bytes(**(VLEK if key == "VLEK" else {})))
    good = question(report, chain(key=key))
    changed = [good | {"report": data} for data in flipped(report, SIGNED_SIZE + SIGNATURE)]
    assert len(changed) == 0x2A0 + SIGNATURE
    assert go_sev_guest.accepts([good, *changed]) == [True] + [False] * len(changed)
    assert ours_accepts(good)
    assert not any(map(ours_accepts, changed))


@pytest.mark.parametrize("name", ["vcek", "middle"])
def test_a_changed_certificate_is_refused_by_both(go_sev_guest: GoProgram, name: str) -> None:
    good = question(signed(report_bytes()), chain())
    changed = [good | {name: data} for data in flipped(good[name], len(good[name]), 3)]
    accepted = go_sev_guest.accepts([good, *changed])
    assert accepted == [True] + [False] * len(changed)
    assert not any(map(ours_accepts, changed))


REFUSED = [
    pytest.param({}, {"leaf": {"extensions": {SPL["microcode"]: der(2, b"\xd5")}}}, id="a negative number"),
    pytest.param({}, {"leaf": {"extensions": {SPL["microcode"]: der(2, b"\1\0")}}}, id="a number above 255"),
    pytest.param({}, {"leaf": {"extensions": {SPL["snp"]: None}}}, id="a number missing"),
    pytest.param({}, {"leaf": {"extensions": {"2": None}}}, id="product missing"),
    pytest.param({}, {"leaf": {"extensions": {"4": None}}}, id="chip id missing"),
    pytest.param(VLEK, {"key": "VLEK", "leaf": {"extensions": {"5": None}}}, id="provider missing"),
    pytest.param({}, {"leaf": {"signer": "ARK-Milan"}}, id="signed by the ARK"),
    pytest.param({}, {"leaf": {"salt": None}}, id="leaf in PKCS #1 1.5"),
    pytest.param({}, {"ask": {"signer": "SEV-Milan"}}, id="ASK signed by itself"),
    pytest.param({}, {"ask": {"ca": False}}, id="ASK that is no CA"),
    pytest.param({}, {"days": 29}, id="leaf expired"),
    pytest.param({}, {"ask": {"days": 29}}, id="ASK expired"),
    pytest.param({}, {"ark": {"days": 29}}, id="ARK expired"),
    pytest.param(GENOA, {}, id="report of another product"),
]


@pytest.mark.parametrize(("report", "changes"), REFUSED)
def test_what_is_not_as_amds_is_refused_by_both(
    go_sev_guest: GoProgram, report: dict[str, Any], changes: dict[str, Any]
) -> None:
    asked = question(signed(report_bytes(**report)), chain(**changes))
    assert go_sev_guest.accepts([asked]) == [False]
    assert not ours_accepts(asked)


def test_a_vcek_of_turin_is_accepted_or_not_known(go_sev_guest: GoProgram) -> None:
    """It has a patch level of the FMC, and a chip id of 8 bytes (AMD 57230, 3.1)."""
    packed = bytes([1, TCB["bootloader"], TCB["tee"], TCB["snp"], 0, 0, 0, TCB["microcode"]])
    report = signed(report_bytes(cpuid=(0x1A, 2, 1), tcb=packed, chip=CHIP[:8].ljust(64, b"\0")))
    made = chain(product="Turin", stepping="", tcb={"fmc": 1, **TCB}, chip=CHIP[:8])
    asked = question(report, made, "Turin")
    (answer,) = go_sev_guest.ask([asked])
    assert answer["error"] in ("", "not an AMD KDS OID: 1.3.6.1.4.1.3704.1.3.9")
    assert ours_accepts(asked)


# Configs, which its tool `check` compares reports with.


def key(seed: int) -> GivenFile:
    """The public key of an author."""
    public = ec.derive_private_key(seed, ec.SECP384R1()).public_key()
    return GivenFile("author.pem", public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def config(*digests: bytes, **settings: Any) -> str:
    """The config of launch digests."""
    (file,) = FORMAT.files(replace(export_of(settings=Settings(**settings)), digests=digests))
    return b"".join(file.chunks()).decode()


def compared(
    text: str, author: GivenFile | None = None, *, id_key: GivenFile | None = None, svn: int = 1, **changes: Any
) -> Question:
    """A report, launched with an ID block of an author if there is one, and the config it is compared with."""
    raw = bytearray(report_bytes(**{"measurement": DIGEST, "key_info": 1 if author else 0} | changes))
    raw[4:8], raw[0x10:0x20], raw[0x20:0x30] = svn.to_bytes(4, "little"), FAMILY, IMAGE
    raw[0xE0:0x110] = key_digest(id_key, None) if id_key else bytes(48)
    raw[0x110:0x140] = key_digest(author, None) if author else bytes(48)
    return question(signed(bytes(raw)), chain()) | {"config": text}


def test_a_config_accepts_reports_of_its_digest_alone(go_sev_guest: GoProgram) -> None:
    text = config(DIGEST)
    questions = [
        compared(text),
        compared(config(OTHER)),
        compared(text, measurement=OTHER),
        compared(text, policy=0x20000),
        compared(text, policy=0xB0000),
        compared(config(DIGEST, policy=0xB0000), policy=0xB0000),
        compared(text.replace("policy: 0x30000", "")),
    ]
    answers = [answer["error"] for answer in go_sev_guest.ask(questions)]
    assert [not error for error in answers] == [True, False, False, True, False, True, False]
    assert "report field MEASUREMENT is" in answers[1]
    assert "debug" in answers[4]
    assert "policy[17] is reserved, must be 1" in answers[6]


def test_other_values_of_the_id_block_are_compared(go_sev_guest: GoProgram) -> None:
    text = config(DIGEST, guest_svn=3, family_id=FAMILY, image_id=IMAGE)
    wrong = config(DIGEST, guest_svn=3, family_id=FAMILY, image_id=FAMILY)
    questions = [compared(text, svn=3), compared(text, svn=2), compared(wrong, svn=3)]
    assert go_sev_guest.accepts(questions) == [True, False, False]


def test_an_author_key_is_demanded_for_one_digest_and_enough_for_several(go_sev_guest: GoProgram) -> None:
    mine, other = key(1), key(2)
    one, several = config(DIGEST, author_key=mine), config(OTHER, bytes(48), author_key=mine)
    assert several.count("\n") == 5
    questions = [
        compared(one, mine),
        compared(one, mine, measurement=OTHER),
        compared(one, other),
        compared(one),
        compared(several, mine),
        compared(several, other),
        compared(several),
    ]
    assert go_sev_guest.accepts(questions) == [True, False, False, False, True, False, False]


def test_an_id_key_is_demanded(go_sev_guest: GoProgram) -> None:
    mine, other = key(1), key(2)
    text = config(DIGEST, OTHER, id_key=mine)
    questions = [
        compared(text, id_key=mine),
        compared(text, other, id_key=mine),
        compared(text, mine, id_key=other),
        compared(text),
    ]
    assert go_sev_guest.accepts(questions) == [True, True, False, False]
