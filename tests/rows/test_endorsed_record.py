"""Endorsed digests as records: one canonical leaf each, and nothing that a document cannot say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalog.errors import MalformedRecord
from catalog.files.plain_json import canonical_json
from catalog.imports.endorsed_facts import Claims, EndorsedDigest, Endorser
from catalog.imports.imported import Imported
from catalog.log.leaf_texts import is_row
from catalog.log.records import encode_leaf, parse_endorsed, parse_record
from catalog.rows.endorsed_record import EndorsedRecord, contradictions
from tests.support.endorsed_digests import DOCUMENT, FIRMWARE, SNP_DIGEST, endorsed, listed
from tests.support.records import RELEASE

FULL = EndorsedDigest(
    bytes.fromhex(SNP_DIGEST),
    "sev-snp",
    Endorser("gce-endorsement", "sha256:ab", "a feed", 3),
    Claims(
        vcpus=2,
        vcpu_type="EPYC-v4",
        product="Milan",
        policy=0x70000,
        firmware_sha256=bytes(32),
        firmware_sha384=bytes(48),
        kernel_sha256=b"k" * 32,
        initrd_sha256=b"i" * 32,
        igvm_sha256=b"v" * 32,
        reset_vector=0x80B004,
    ),
)


def document(one: EndorsedDigest, **changed: Any) -> Imported:
    return Imported(**{"form": "x", "document_sha256": b"d" * 32, "endorsed": (one,), **changed})


def test_a_record_has_every_fact_of_its_digest() -> None:
    made = EndorsedRecord.of(document(FULL, checked="signature", document_time=5, certificate_until=9), FULL)
    assert made.facts == FULL
    assert (made.document_sha256, made.document_time, made.certificate_until) == ("64" * 32, 5, 9)
    assert parse_endorsed(encode_leaf(made)) == made
    assert made.claims.given()["policy"] == "0x70000"
    assert made.claims.given()["reset_vector"] == "0x80b004"


def test_the_leaf_has_what_is_not_known_as_null_and_no_claim_that_is_not_made() -> None:
    assert encode_leaf(listed()) == (
        b'{"certificate_until":null,"checked":"none","claims":{},"document_sha256":null,"document_time":null,'
        b'"endorser":{"feed":null,"id":"https://a.example/list","scheme":"published-list","svn":null},'
        b'"launch_digest":"' + SNP_DIGEST.encode() + b'","origin":"https://a.example","technology":"sev-snp",'
        b'"type":"endorsed"}'
    )
    assert not is_row(encode_leaf(listed()))


def test_an_endorser_that_the_document_does_not_name_is_the_origin() -> None:
    one = EndorsedDigest(bytes(48), "sev-snp", Endorser("rvps"))
    assert EndorsedRecord.of(document(one, origin="https://b.example"), one).endorser_id == "https://b.example"
    with pytest.raises(MalformedRecord, match="does not say whose it is"):
        EndorsedRecord.of(document(one), one)


@pytest.mark.parametrize(
    ("one", "imported"),
    [
        (EndorsedDigest(bytes(48), "sev-snp", Endorser("r", "i", svn=1 << 53)), {}),
        (EndorsedDigest(bytes(48), "sev-snp", Endorser("no scheme", "i")), {}),
        (EndorsedDigest(bytes(48), "sev-snp", Endorser("r", "two\nlines")), {}),
        (EndorsedDigest(bytes(48), "sev-snp", Endorser("r", "i")), {"document_time": 1 << 40}),
        (EndorsedDigest(bytes(48), "sev-snp", Endorser("r", "i")), {"document_sha256": None}),
    ],
)
def test_facts_that_no_record_can_have_are_refused(one: EndorsedDigest, imported: dict[str, Any]) -> None:
    with pytest.raises(MalformedRecord, match="endorsed digest 0000000000000000"):
        EndorsedRecord.of(document(one, **imported), one)


@pytest.mark.parametrize(
    "changed",
    [
        {"launch_digest": SNP_DIGEST.upper()},
        {"launch_digest": "5a" * 32},
        {"launch_digest": "5a" * 40},
        {"technology": "sev"},
        {"technology": "SEV"},
        {"technology": ""},
        {"claims": {"vcpus": 0}},
        {"claims": {"vcpus": 4097}},
        {"claims": {"policy": "0x030000"}},
        {"claims": {"policy": 0x30000}},
        {"claims": {"firmware_sha256": "f1" * 31}},
        {"claims": {"firmware_sha384": "f1" * 32}},
        {"claims": {"vcpu_type": ""}},
        {"claims": {"product": "a\tb"}},
        {"claims": {"memory": 1}},
        {"claims": None},
        {"endorser": {"scheme": "r", "id": None, "feed": None, "svn": None}},
        {"endorser": {"scheme": "r", "id": "i", "feed": None}},
        {"endorser": {"scheme": "r", "id": "i", "feed": "x" * 1025, "svn": None}},
        {"endorser": {"scheme": "r", "id": "i", "feed": None, "svn": -1}},
        {"endorser": {"scheme": "R", "id": "i", "feed": None, "svn": 1}},
        {"document_sha256": DOCUMENT[:-1]},
        {"document_sha256": None},
        {"document_sha256": None, "checked": "none", "origin": None},
        {"document_sha256": None, "checked": "none"},  # the scheme of a document
        {"document_time": 0},
        {"document_time": 1 << 40},
        {"certificate_until": -1},
        {"checked": "checksum"},
        {"origin": "\u202eorigin"},
        {"origin": " "},
        {"more": 1},
    ],
)
def test_a_leaf_that_is_not_exactly_a_record_is_refused(changed: dict[str, Any]) -> None:
    leaf = json.loads(encode_leaf(endorsed()))
    with pytest.raises(MalformedRecord, match="endorsed record"):
        parse_record(canonical_json(leaf | changed))


def test_another_order_of_the_keys_is_refused() -> None:
    leaf = encode_leaf(endorsed()).replace(b'{"feed":"a feed","id":"did:x509:0"', b'{"id":"did:x509:0","feed":"a feed"')
    with pytest.raises(MalformedRecord, match="canonical"):
        parse_record(leaf)


def test_a_record_of_another_type_is_no_endorsed_digest() -> None:
    with pytest.raises(MalformedRecord, match="a release record"):
        parse_endorsed(encode_leaf(RELEASE))


def test_a_technology_of_a_later_version_is_read() -> None:
    assert endorsed(technology="cca").technology == "cca"


def test_only_claims_that_a_digest_determines_contradict_each_other() -> None:
    one = endorsed(claims={"vcpus": 4, "policy": "0x30000", "product": "Milan"})
    same = endorsed(claims={"policy": "0x70000", "product": "Genoa", "firmware_sha256": FIRMWARE})
    other = endorsed(claims={"vcpus": 5, "firmware_sha256": FIRMWARE})
    assert list(contradictions([one, same])) == []
    assert list(contradictions([one, same, other])) == [(one, other, "vcpus")]
    assert list(contradictions([one, endorsed(svn=8, claims={"vcpus": 5})])) == []
    assert one.key == other.key != endorsed(svn=8).key
