"""Signed documents: who may sign, when the certificates have to be valid, and what one changed byte does."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import NameOID
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import LdcatError, MalformedInput, MalformedRecord, UntrustedSigner, VerificationFailed
from catalog.imports.cbor import Tagged, decode
from catalog.imports.chains import parse_trusted, rooted
from catalog.imports.documents import Given, read_document
from catalog.imports.endorsed_facts import Claims, EndorsedDigest, Endorser
from tests.support import published_documents as made
from tests.support.attestation_builder import ca_key
from tests.support.published_documents import DIGEST, GIVEN, NOW, OTHER, SIGNED, certificate, days, trusted

ONE, TWO = bytes.fromhex(DIGEST), bytes.fromhex(OTHER)
PAYLOAD = {"x-ms-sevsnpvm-guestsvn": "100", "x-ms-sevsnpvm-launchmeasurement": DIGEST}


def refused(data: bytes, error: type[LdcatError], message: str, what: Given | None = None) -> None:
    with pytest.raises(error, match=message) as caught:
        read_document(data, what or trusted())
    assert type(caught.value) is error


def corim_given(key: Any = None) -> Given:
    return parse_trusted(made.key_pem(key or made.corim_key()), GIVEN)


def test_a_uvm_document_has_issuer_feed_and_svn() -> None:
    imported = read_document(made.uvm(), trusted())
    [one] = imported.endorsed
    assert (one.digest, one.endorser) == (ONE, Endorser("azure-uvm", made.did(), made.FEED, 100))
    assert (imported.checked, imported.document_time) == ("signature", SIGNED)
    assert imported.certificate_until == SIGNED + days(1)
    assert imported.notes == (
        "signed 2026-03-01 by a certificate that expired 2026-03-02",
        "the time of signing is the signer's own word",
    )


def test_a_certificate_that_is_still_valid_is_said_to_be() -> None:
    chain = made.uvm_chain(end=NOW + days(9))
    assert read_document(made.uvm(chain), trusted()).notes[0].endswith("a certificate that is valid until 2026-11-10")


def test_an_issuer_is_trusted_by_its_root_alone() -> None:
    refused(made.uvm(), UntrustedSigner, r"not Microsoft: its root certificate 'test root'", GIVEN)
    refused(made.uvm(), UntrustedSigner, "is not one that is trusted", trusted(certificate("x", "x", ca=True)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: made.uvm(iss=made.did(eku="1.2.3.4")), "no extended key usage 1.2.3.4"),
        (lambda: made.uvm(made.uvm_chain(eku=None)), "no extended key usage"),
        (lambda: made.uvm(iss=made.did(made.uvm_chain()[0])), "none of the certificates"),
        (lambda: made.uvm(iss=made.did(certificate("x", "x", ca=True))), "none of the certificates"),
        (lambda: made.uvm(h34=[-16, bytes(32)]), "x5t is not the hash"),
        (lambda: made.uvm(h34=None), "x5t is not the hash"),
        (
            lambda: made.uvm(signingtime=Tagged(1, SIGNED + days(2))),
            "not valid when it was signed, 2026-03-03: it is",
        ),
        (lambda: made.uvm(signingtime=Tagged(1, SIGNED - days(2))), "valid from 2026-02-28 to 2026-03-02"),
        (lambda: made.uvm(made.uvm_chain(signer="test root")), "'test signer' is not signed by 'test CA'"),
        (lambda: made.uvm((made.uvm_chain()[0], made.root())), "'test signer' is not signed by 'test root'"),
        (lambda: made.uvm(key="test CA"), "the signature is not of this document and key"),
        (lambda: made.uvm(h1=-35), "algorithm -35 does not go with the key"),
        (lambda: made.uvm(h1="PS384"), "algorithm 'PS384' does not go with the key"),
        (lambda: made.uvm(h1=[-38]), ".-38. does not go with the key"),
    ],
)
def test_a_uvm_document_of_another_issuer_time_or_key_is_refused(data: Any, message: str) -> None:
    refused(data(), VerificationFailed, message)


def test_an_issuer_may_pin_a_certificate_below_the_root() -> None:
    issuer = made.did(made.uvm_chain()[1])
    [one] = read_document(made.uvm(iss=issuer), trusted()).endorsed
    assert one.endorser.id == issuer


def test_another_feed_is_refused_if_one_is_asked_for() -> None:
    assert read_document(made.uvm(), trusted(feed=made.FEED)).endorsed
    refused(made.uvm(feed="Other"), VerificationFailed, "the feed is 'Other', not 'Con", trusted(feed=made.FEED))
    refused(made.rvps_file("measurement"), VerificationFailed, "the feed is 'measurement'", trusted(feed=made.FEED))
    assert read_document(made.gce(), trusted(feed=made.FEED)).endorsed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"without": ["iss"]}, "iss: no text"),
        ({"feed": 7}, "feed: no text"),
        ({"feed": ""}, "feed: no text"),
        ({"signingtime": SIGNED}, "signingtime: no time"),
        ({"signingtime": Tagged(1, -1)}, "signingtime: no time"),
        ({"signingtime": Tagged(1, True)}, "signingtime: no time"),
        ({"without": [33]}, "x5chain: 0 certificates"),
        ({"h33": made.pem(made.root()) * 2}, "x5chain: a certificate is not in DER"),
        ({"h33": b"no certificate"}, "x5chain: a certificate is malformed"),
        ({"h33": [7]}, "x5chain: no certificates"),
        ({"h33": 7}, "x5chain: no certificates"),
        ({"h2": ["iss"]}, "critical headers"),
        ({"h3": "text/plain"}, "not application/json"),
        ({"iss": "did:web:x"}, "no did:x509"),
        ({"unprotected": {"feed": "x"}}, "a header is there twice"),
        ({"payload": PAYLOAD | {"more": 1}}, "unknown field `more`"),
        ({"payload": PAYLOAD | {"x-ms-sevsnpvm-guestsvn": 100}}, "expected `str`, got `int`"),
        ({"payload": PAYLOAD | {"x-ms-sevsnpvm-guestsvn": "007"}}, "'007' is no decimal number"),
        ({"payload": PAYLOAD | {"x-ms-sevsnpvm-launchmeasurement": DIGEST.upper()}}, "not 96 lowercase hex digits"),
    ],
)
def test_a_uvm_document_that_breaks_its_format_is_refused(changes: dict[str, Any], message: str) -> None:
    refused(made.uvm(**changes), MalformedRecord, message)


def test_a_chain_has_a_bounded_length_and_only_authorities_sign() -> None:
    leaf, middle, top = made.uvm_chain()
    refused(made.uvm((leaf, *[middle] * 5)), MalformedRecord, "6 certificates, not 1 to 5")
    no_ca = certificate("test CA", "test root", ca=False, may_sign=True)
    may_not = certificate("test CA", "test root", ca=True, may_sign=False)
    for one in (no_ca, may_not):
        refused(made.uvm((leaf, one, top)), VerificationFailed, "'test CA' may not sign certificates")
    short = certificate("test root", "test root", ca=True, path_length=0)
    refused(made.uvm((leaf, middle, short)), VerificationFailed, "'test root' may not sign", trusted(short))
    expired = certificate("test root", "test root", ca=True, end=SIGNED - 1)
    refused(made.uvm((leaf, middle, expired)), VerificationFailed, "certificate of test root was not valid")


def test_a_chain_of_five_certificates_that_are_valid_for_one_second_is_verified() -> None:
    between = [certificate(f"c{number}", f"c{number + 1}", ca=True, start=SIGNED, end=SIGNED) for number in (1, 2)]
    above = certificate("c3", "test root", ca=True, start=SIGNED, end=SIGNED)
    leaf = certificate("test signer", "c1", ca=False, eku=made.EKU, start=SIGNED, end=SIGNED)
    data = made.uvm((leaf, *between, above, made.root()))
    assert read_document(data, replace(trusted(), now=SIGNED)).notes[0].endswith("that is valid until 2026-03-01")
    assert read_document(data, replace(trusted(), now=SIGNED + 1)).notes[0].endswith("that expired 2026-03-01")


def test_a_chain_of_keys_or_algorithms_that_cannot_sign_is_refused() -> None:
    leaf, _, top = made.uvm_chain()
    agreement = certificate("test CA", "test root", ca=True, public=x25519.X25519PrivateKey.generate().public_key())
    refused(made.uvm((leaf, agreement, top)), VerificationFailed, "'test signer' is not signed by 'test CA'")
    sha256_rsa = bytes.fromhex("2a864886f70d01010b")
    odd = made.der(leaf).replace(sha256_rsa, sha256_rsa[:-1] + b"\x7f")
    chain = [odd, *(made.der(one) for one in made.uvm_chain()[1:])]
    refused(made.uvm(h33=chain, without=[34]), VerificationFailed, "'test signer' is not signed by 'test CA'")


def test_a_certificate_without_a_common_name_is_named_whole() -> None:
    leaf = certificate("nobody", "other", ca=False, attribute=NameOID.ORGANIZATION_NAME)
    refused(made.gce(leaf=leaf), UntrustedSigner, "that issued 'O=nobody'")


def test_a_root_without_extensions_may_not_sign() -> None:
    leaf, middle, _ = made.uvm_chain()
    refused(made.uvm((leaf, middle, made.bare_root())), VerificationFailed, "may not sign", trusted(made.bare_root()))


def test_a_gce_endorsement_has_mrtds_beside_digests_of_sev_snp() -> None:
    tdx = made.gce_tdx((16, 0, ONE), (16, 1, TWO), (0, 0, TWO))
    imported = read_document(made.gce(snp=b"", more=tdx), trusted())
    (id_,) = {one.endorser.id for one in imported.endorsed}
    by, claims = Endorser("gce-endorsement", id_, svn=5), Claims(firmware_sha384=b"\x38" * 48)
    assert imported.endorsed == (EndorsedDigest(ONE, "tdx", by, claims), EndorsedDigest(TWO, "tdx", by, claims))
    assert imported.notes[1:] == (
        f"MRTDs of launches with a measured TD HOB: {ONE.hex()[:16]}... with 16 GiB; "
        f"{TWO.hex()[:16]}... with 16 GiB, accepted early",
    )
    both = read_document(made.gce(more=made.gce_tdx((0, 0, TWO))), trusted())
    assert [one.technology for one in both.endorsed] == ["sev-snp", "sev-snp", "tdx"]
    assert len(both.notes) == 1


def test_a_gce_endorsement_has_a_digest_for_each_number_of_vcpus() -> None:
    imported = read_document(made.gce(), trusted())
    root = imported.endorsed[0].endorser.id
    assert root is not None
    assert root.startswith("sha256:")
    by = Endorser("gce-endorsement", root, svn=3)
    claims = [Claims(vcpus=vcpus, policy=0x30000, firmware_sha384=b"\x38" * 48) for vcpus in (1, 4)]
    assert [(one.digest, one.endorser, one.claims) for one in imported.endorsed] == [
        (ONE, by, claims[0]),
        (TWO, by, claims[1]),
    ]
    assert (imported.checked, imported.document_time) == ("signature", SIGNED)
    assert imported.notes == ("signed 2026-03-01 by a certificate that expired 2026-03-02",)


def test_fields_that_are_newer_are_skipped_where_a_signature_covers_them() -> None:
    newer = (
        made.field(99, 7)
        + made.field(98, b"x")
        + made.varint(97 << 3 | 5)
        + bytes(4)
        + made.varint(96 << 3 | 1)
        + bytes(8)
    )
    assert read_document(made.gce(more=newer), trusted()).endorsed
    refused(made.gce(outer=made.field(3, b"x")), MalformedRecord, "field 3 is not known")


def test_an_old_endorsement_needs_no_provenance() -> None:
    old = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
    leaf = certificate("test signer", "test root", ca=False, start=old - 1, end=old + 1)
    assert read_document(made.gce(leaf=leaf, time=old, commit=b""), trusted()).endorsed


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (lambda: made.gce(key="test CA"), VerificationFailed, "the signature is not of this document"),
        (lambda: made.gce(salt=20), VerificationFailed, "the signature is not of this document"),
        (lambda: made.gce(time=SIGNED + days(3)), VerificationFailed, "was not valid when it was signed, 2026-03-04"),
        (
            lambda: made.gce(leaf=certificate("test signer", "other", ca=False)),
            UntrustedSigner,
            "that issued",
        ),
        (
            lambda: made.gce(leaf=certificate("test signer", "test root", ca=False, signer="other")),
            VerificationFailed,
            "'test signer' is not signed by 'test root'",
        ),
        (lambda: made.gce(commit=b""), MalformedRecord, "neither a change nor a commit"),
        (lambda: made.gce(snp=b""), MalformedRecord, "gce-endorsement: measurements: 0 entries"),
        (
            lambda: made.gce(more=made.gce_tdx((0, 0, b"x"))),
            MalformedRecord,
            "launch digest of tdx: 1 bytes are not 48",
        ),
        (lambda: made.gce(more=made.field(8, made.field(2, 7))), MalformedRecord, "tdx: field 2 has wire type 0"),
        (lambda: made.gce(time=1 << 40), VerificationFailed, "signed, 1099511627776 seconds after 1970"),
        (lambda: made.gce(time=1 << 58), VerificationFailed, "signed, 288230376151711744 seconds after"),
        (
            lambda: made.gce(time=1 << 63),
            VerificationFailed,
            "signed, 9223372036854775808 seconds after 1970",
        ),
        (lambda: made.gce({}), MalformedRecord, "gce-endorsement: measurements: 0 entries"),
        (lambda: made.gce({0: ONE}), MalformedRecord, "cannot have 0 vCPUs"),
        (lambda: made.gce({5000: ONE}), MalformedRecord, "cannot have 5000 vCPUs"),
        (lambda: made.gce({1: b"short"}), MalformedRecord, "5 bytes are not 48"),
        (
            lambda: made.gce(snp=2 * made.field(2, made.field(1, 1) + made.field(2, ONE))),
            MalformedRecord,
            "1 vCPUs are there twice",
        ),
        (lambda: made.gce(snp=made.field(2, 7)), MalformedRecord, "field 2 has wire type 0"),
        (lambda: made.gce(more=made.field(5, b"x")), MalformedRecord, "field 5 is there 2 times"),
    ],
)
def test_a_gce_endorsement_that_is_not_right_is_refused(data: Any, error: type[LdcatError], message: str) -> None:
    refused(data(), error, message)


def test_of_several_roots_of_one_name_the_one_that_signed_counts() -> None:
    other = certificate("test root", "test root", ca=True, public=made.corim_key().public_key())
    for roots in ((other, made.root()), (made.root(), other)):
        assert read_document(made.gce(), trusted(*roots)).checked == "signature"
    refused(made.gce(), VerificationFailed, "'test signer' is not signed by 'test root'", trusted(other))


def test_a_certificate_of_gce_that_is_not_one_in_der_is_refused() -> None:
    two = made.pem(made.root()) * 2
    data = made.field(1, made.field(4, two) + made.field(1, made.field(1, SIGNED))) + made.field(2, b"x")
    refused(data, MalformedRecord, "certificate: a certificate is not in DER")


def test_without_the_root_a_gce_endorsement_is_refused_with_its_address() -> None:
    with pytest.raises(UntrustedSigner, match="no root certificate is given") as caught:
        read_document(made.gce(), GIVEN)
    assert "https://pki.goog/" in str(caught.value.hint)


def test_a_signer_with_an_elliptic_curve_does_not_sign_for_gce() -> None:
    refused(made.gce(leaf=made.ec_signer()), VerificationFailed, "no RSA key of 2048 bits")


def test_a_corim_names_its_entity_and_is_not_signed() -> None:
    policy = {0: 2, 1: {4: Tagged(560, (0x30000).to_bytes(8, "big"))}}
    svn = {0: 1, 1: {1: Tagged(553, 4)}}
    data = made.corim(made.triple(ONE, extra=[policy, svn]), made.triple(TWO), made.triple(TWO))
    imported = read_document(data, GIVEN)
    assert [(one.digest, one.endorser, one.claims) for one in imported.endorsed] == [
        (ONE, Endorser("corim", "https://publisher.example", svn=4), Claims(policy=0x30000)),
        (TWO, Endorser("corim", "https://publisher.example"), Claims()),
    ]
    assert (imported.checked, imported.notes) == ("none", ("the id of the document is test/1",))
    until = {0: Tagged(1, SIGNED), 1: Tagged(1, NOW)}
    assert read_document(made.corim(f4=until), GIVEN).notes[1:] == ("the document counts until 2026-11-01",)
    assert read_document(made.corim(f4={0: Tagged(1, SIGNED)}), GIVEN).notes == imported.notes
    for other in (None, Tagged(37, bytes(16)), "", "x" * 513):
        assert read_document(made.corim(f0=other), GIVEN).notes == ()
    assert read_document(made.corim(f5=None), GIVEN).endorsed[0].endorser.id is None
    assert read_document(made.corim(f5=[{0: "a name"}]), GIVEN).endorsed[0].endorser.id == "a name"


def test_a_corim_is_verified_by_a_key_that_is_given() -> None:
    imported = read_document(made.signed_corim(), corim_given())
    assert (imported.checked, imported.document_time) == ("signature", SIGNED)
    assert imported.endorsed[0].endorser.id == "https://signer.example"
    assert imported.notes[0].startswith("signed by the key with SHA-256 ")
    assert imported.notes[1] == "the signature counts from 2026-03-01 to 2026-11-01"
    refused(made.signed_corim(), UntrustedSigner, "no key is given", GIVEN)
    other = ec.generate_private_key(ec.SECP384R1())
    refused(made.signed_corim(key=other), VerificationFailed, "not of this document and key", corim_given())
    for first, second in ((other, made.corim_key()), (made.corim_key(), other)):
        both = parse_trusted(made.key_pem(second), corim_given(first))
        assert read_document(made.signed_corim(), both).notes == imported.notes
    meta = made.cbor({0: {0: "x"}})
    assert read_document(made.signed_corim(h8=meta), corim_given()).document_time is None


def test_a_corim_is_verified_by_a_chain_to_a_root_that_is_given() -> None:
    chain = [made.der(one) for one in made.uvm_chain()]
    data = made.signed_corim(key=ca_key("test signer"), h1=-38, h33=chain)
    imported = read_document(data, trusted())
    assert imported.notes[0] == "signed 2026-03-01 by a certificate that expired 2026-03-02"
    assert imported.certificate_until == SIGNED + days(1)
    refused(data, UntrustedSigner, "is not one that is trusted", GIVEN)
    timeless = made.signed_corim(key=ca_key("test signer"), h1=-38, h33=chain, h8=made.cbor({0: {0: "x"}}))
    refused(timeless, MalformedRecord, "no time for which they could be verified")


@pytest.mark.parametrize("kept", [1, 2])
def test_a_corim_need_not_have_the_root_of_its_chain(kept: int) -> None:
    chain = (certificate("test signer", "test root", ca=False),) if kept == 1 else made.uvm_chain()[:2]
    data = made.signed_corim(key=ca_key("test signer"), h1=-38, h33=[made.der(one) for one in chain])
    assert read_document(data, trusted()).certificate_until == SIGNED + days(1)
    refused(data, UntrustedSigner, "no root certificate is given that issued", GIVEN)
    namesake = certificate("test root", "test root", ca=True, public=made.corim_key().public_key())
    refused(data, VerificationFailed, "is not signed by 'test root'", trusted(namesake))
    assert read_document(data, replace(GIVEN, untrusted=True)).endorsed


def test_what_nobody_vouches_for_can_be_read_without_a_root() -> None:
    """It says the same; only GCE's documents do not name their endorser themselves."""
    chain = [made.der(one) for one in made.uvm_chain()]
    by_chain = made.signed_corim(key=ca_key("test signer"), h1=-38, h33=chain)
    untrusted = replace(GIVEN, untrusted=True)
    for data, what in (
        (made.uvm(), trusted()),
        (made.gce(), trusted()),
        (made.signed_corim(), corim_given()),
        (by_chain, trusted()),
    ):
        said, found = read_document(data, what), read_document(data, untrusted)
        by = [one.endorser.id for one in found.endorsed]
        assert by == [None if one.endorser.scheme == "gce-endorsement" else one.endorser.id for one in said.endorsed]
        assert found.said_by(said.endorsed[0].endorser.id).endorsed == said.endorsed
        assert (found.document_time, found.certificate_until) == (said.document_time, said.certificate_until)
    signed = made.uvm()
    refused(signed[:-1] + bytes([signed[-1] ^ 1]), VerificationFailed, "not of this document and key", untrusted)


KEYS: dict[int, Any] = {
    -7: ec.generate_private_key(ec.SECP256R1()),
    -8: ed25519.Ed25519PrivateKey.generate(),
    -35: made.corim_key(),
    -36: ec.generate_private_key(ec.SECP521R1()),
    -37: ca_key("test signer"),
    -38: ca_key("test signer"),
    -39: ca_key("test signer"),
}
"""By COSE algorithm (RFC 9053, 2.1 and 2.2; RFC 8230, 2)."""


def signed_by(algorithm: int, key: Any) -> bytes:
    return made.sign1({1: algorithm, 3: "application/rim+cbor", 8: made.cbor({0: {0: "x"}})}, made.corim(), key)


@pytest.mark.parametrize("algorithm", KEYS)
def test_each_algorithm_signs_with_its_own_kind_of_key(algorithm: int) -> None:
    key, what = KEYS[algorithm], corim_given(KEYS[algorithm])
    data = signed_by(algorithm, key)
    assert read_document(data, what).checked == "signature"
    refused(data[:-1] + bytes([data[-1] ^ 1]), VerificationFailed, "not of this document and key", what)
    refused(signed_by(algorithm + 1000, key), VerificationFailed, "does not go with", what)
    for other, others in KEYS.items():
        if other != algorithm and (other > -37 or algorithm > -37):  # one RSA key goes with three of them
            refused(signed_by(other, others), VerificationFailed, "does not go with", what)


def test_a_short_rsa_key_signs_nothing() -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=2047)
    refused(signed_by(-38, short), VerificationFailed, "does not go with the key", corim_given(short))


@pytest.mark.parametrize(("algorithm", "size"), [(-7, 32), (-35, 48), (-36, 66)])
def test_a_signature_of_an_elliptic_curve_has_two_halves(algorithm: int, size: int) -> None:
    parts = decode(signed_by(algorithm, KEYS[algorithm]), "x").value
    longer = parts[3][:size] + b"\0" + parts[3][size:]  # the same two numbers
    for wrong in (longer, parts[3] + b"\0", parts[3][:-1]):
        data = made.cbor(Tagged(18, [*parts[:3], wrong]))
        refused(data, VerificationFailed, "not of this document and key", corim_given(KEYS[algorithm]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: made.corim(f3=Tagged(32, "tag:example")), "the profile is not"),
        (lambda: made.corim(f3="x"), "profile: not tagged 32"),
        (lambda: made.corim(f1=[]), "tags: no list with an entry"),
        (lambda: made.corim(f1=[Tagged(505, b"")]), "tag 0: not tagged 506"),
        (lambda: made.corim(f1=[Tagged(506, "x")]), "tag 0: no bytes"),
        (lambda: made.corim(f5=7), "entities: no list"),
        (lambda: made.corim(f4=7), "validity: no map"),
        (lambda: made.corim(f4={1: 7}), "validity: not tagged 1"),
        (lambda: made.corim(f5=[{0: ""}]), "entity: no name"),
        (lambda: made.corim(7), "reference triple 0: no list"),
        (lambda: made.corim(f1=[Tagged(506, made.cbor({4: {0: 7}}))]), "reference triples: no list with an entry"),
        (lambda: made.corim(f1=[Tagged(506, made.cbor({4: {3: 7}}))]), "launch digests: 0 entries"),
        (lambda: made.corim(f1=[Tagged(506, made.cbor({4: 7}))]), "triples: no map"),
        (lambda: made.corim(f1=[Tagged(506, made.cbor(7))]), "tag 0: no map"),
        (lambda: made.corim(f1=7), "tags: no list"),
        (lambda: made.corim([1]), "not an environment and measurements"),
        (lambda: made.corim(made.triple(ONE, oid="2b06")), "not of AMD's"),
        (lambda: made.corim(made.triple(ONE[:-1])), "47 bytes are not 48"),
        (lambda: made.corim(made.triple(ONE, instance=Tagged(560, TWO))), "the instance is not the digest"),
        (lambda: made.corim(made.triple(ONE, extra=[{0: 641, 1: {}}])), "no number of its own"),
        (lambda: made.corim(made.triple(ONE, extra=[{0: 2, 1: {4: Tagged(560, b"x")}}])), "measurement 2: no 8 bytes"),
        (lambda: made.corim(made.triple(ONE, extra=[{0: 1, 1: {1: 4}}])), "measurement 1: no security version"),
        (lambda: made.corim([made.triple(ONE)[0], [{0: 641, 1: {2: [[1, ONE]]}}]]), "a digest is not .7, bytes."),
        (lambda: made.corim([made.triple(ONE)[0], [{0: 2, 1: {}}]]), "launch digests: 0 entries"),
        (lambda: made.corim([{0: 7}, [{0: 641, 1: {}}]]), "class: no map"),
    ],
)
def test_a_corim_that_breaks_its_format_is_refused(data: Any, message: str) -> None:
    refused(data(), MalformedRecord, message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"h3": "x", "h99": "application/rim+cbor"}, "the payload is not application/rim"),
        ({"h8": None}, "meta: not there"),
        ({"h8": made.cbor({0: {0: "x"}, 1: {0: 7}})}, "validity: not tagged 1"),
        ({"h8": made.cbor({0: {0: "x"}, 1: {0: Tagged(1, "x")}})}, "validity: no time"),
        ({"payload": b"\x01"}, "not tagged 501"),
    ],
)
def test_a_signed_corim_that_breaks_its_format_is_refused(changes: dict[str, Any], message: str) -> None:
    refused(made.signed_corim(**changes), MalformedRecord, message, corim_given())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (made.cbor(Tagged(18, [b"", {}, b"application/rim+cbor"])), "a COSE_Sign1 is"),
        (made.cbor(Tagged(18, [made.cbor([]), {}, b"application/rim+cbor", b""])), "protected headers: no map"),
        (made.cbor(Tagged(18, {0: "application/rim+cbor"})), "a COSE_Sign1 is"),
        (b"\xd2\xa0application/rim+cbor", "20 bytes follow the end"),
    ],
)
def test_what_is_no_cose_sign1_is_refused(data: bytes, message: str) -> None:
    refused(data, MalformedRecord, message)


def test_a_signature_of_another_length_is_refused() -> None:
    data = made.signed_corim()
    shorter = data[:-98] + b"\x58\x5f" + data[-95:]
    refused(shorter, VerificationFailed, "not of this document and key", corim_given())


def test_certificates_and_keys_are_trusted_beside_those_that_are() -> None:
    first, second = made.root(), certificate("x", "x", ca=True)
    both = parse_trusted(made.der(second), parse_trusted(made.pem(first), GIVEN))
    assert (both.roots, both.keys, both.now) == ((first, second), (), NOW)
    keys = [one.public_key() for one in (made.corim_key(), KEYS[-7])]
    mixed = parse_trusted(made.key_pem(KEYS[-7]), parse_trusted(made.key_pem(made.corim_key()), both))
    assert (mixed.roots, list(mixed.keys)) == ((first, second), keys)


def unknown_key() -> bytes:
    """A public key of a kind that nobody has."""
    body = KEYS[-8].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = base64.b64encode(body.replace(bytes.fromhex("2b6570"), bytes.fromhex("2b6501"))).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n".encode()


@pytest.mark.parametrize(
    "data", [b"", b"x", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", unknown_key()]
)
def test_what_is_neither_certificate_nor_key_is_no_root(data: bytes) -> None:
    with pytest.raises(MalformedInput):
        parse_trusted(data, GIVEN)


SIGNED_DOCUMENTS = {
    "uvm": (made.uvm(unprotected={}), trusted()),
    "gce": (made.gce(), trusted()),
    "corim": (made.signed_corim(), corim_given()),
    "dstack": (made.dstack(), Given(NOW, checksums=made.checksums(made.dstack()))),
}


@pytest.mark.parametrize("name", SIGNED_DOCUMENTS)
@given(part=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_changed_bit_is_refused(name: str, part: float, bit: int) -> None:
    data, what = SIGNED_DOCUMENTS[name]
    changed = bytearray(data)
    changed[int(part * len(data))] ^= 1 << bit
    with pytest.raises((MalformedRecord, VerificationFailed)):
        read_document(bytes(changed), what)


def test_what_no_signature_covers_changes_no_fact() -> None:
    one, other = (read_document(made.uvm(unprotected={"timestamp": text}), trusted()) for text in (b"a", b"b"))
    assert (one.endorsed, one.document_time) == (other.endorsed, other.document_time)
    assert one.document_sha256 != other.document_sha256


def test_the_root_of_a_certificate_is_a_given_one_or_not_looked_at() -> None:
    ca, other = certificate("a root", "a root", ca=True), certificate("another", "another", ca=True)
    leaf = certificate("a signer", "a root", ca=False)
    for untrusted in (False, True):
        assert rooted(leaf, Given(NOW, roots=(other, ca), untrusted=untrusted), "it", "hint") == [leaf, ca]
    assert rooted(leaf, Given(NOW, roots=(other,), untrusted=True), "it", "hint") == [leaf]
    with pytest.raises(UntrustedSigner, match="no root certificate is given that issued 'a signer'"):
        rooted(leaf, Given(NOW, roots=(other,)), "it", "hint")
