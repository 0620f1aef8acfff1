"""CoRIMs for Veraison: what is in them, who signed, and what is refused; our own import reads them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from catalog.errors import LdcatError, MalformedInput, UsageError
from catalog.export.exported import Export
from catalog.export.formats import corim
from catalog.export.settings import DAY, GivenFile, Settings
from catalog.imports.cbor import Tagged, decode
from catalog.imports.chains import parse_trusted
from catalog.imports.documents import Given, read_document
from catalog.imports.endorsed_facts import Endorser
from tests.support.exports import TIME, export_of

NAME, URL = "Example Ltd", "https://publisher.example/values"
PROFILE = "tag:amd.com,2024:snp-corim-profile"
SIGNER = {0: NAME, 1: Tagged(32, URL)}
GIVEN = Given(TIME)

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@cache
def p384() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


@cache
def ed() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


@cache
def root_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def pem(key: Key, encryption: KeySerializationEncryption | None = None) -> GivenFile:
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    return GivenFile("key.pem", data)


def certificate(name: str, key: Key, issuer: str, signer: Key, *, start: int, end: int, ca: bool) -> x509.Certificate:
    usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
    made = x509.CertificateBuilder().subject_name(_name(name)).issuer_name(_name(issuer)).public_key(key.public_key())
    made = made.not_valid_before(datetime.fromtimestamp(start, UTC)).not_valid_after(datetime.fromtimestamp(end, UTC))
    made = made.serial_number(7).add_extension(x509.BasicConstraints(ca, None), critical=True)
    return made.add_extension(usage, critical=True).sign(
        signer, None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA384()
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


@cache
def root(start: int = TIME - 9 * DAY, end: int = TIME + 999 * DAY) -> x509.Certificate:
    return certificate("root", root_key(), "root", root_key(), start=start, end=end, ca=True)


def leaf(key: Key, start: int = TIME - DAY, end: int = TIME + 9 * DAY) -> x509.Certificate:
    return certificate("signer", key, "root", root_key(), start=start, end=end, ca=False)


def certs(*chain: x509.Certificate) -> GivenFile:
    return GivenFile("chain.pem", b"".join(one.public_bytes(Encoding.PEM) for one in chain))


def settings(**more: Any) -> Settings:
    return Settings(**({"issuer": NAME, "issuer_url": URL} | more))


def made(export: Export) -> bytes:
    (file,) = corim.FORMAT.files(export)
    assert file.name == ("corim-veraison.cbor" if export.settings.key is None else "corim-signed.cose")
    assert file.media_type == ("application/rim+cbor" if export.settings.key is None else "application/rim+cose")
    return b"".join(file.chunks())


def body(data: bytes) -> dict[int, Any]:
    document = decode(data, "x")
    assert isinstance(document, Tagged)
    assert document.tag == 501
    found: dict[int, Any] = document.value
    return found


def test_there_is_one_triple_a_digest_as_veraison_looks_it_up() -> None:
    export = export_of(3, settings=settings())
    found = body(made(export))
    [tag] = found[1]
    comid = decode(tag.value, "x")
    names = ",".join(digest.hex() for digest in export.digests)
    assert tag.tag == 506
    assert comid == {
        0: "en",
        1: {0: uuid.uuid5(uuid.NAMESPACE_URL, f"ldcat:{names}").bytes},
        2: [{**SIGNER, 2: [0, 1]}],
        4: {
            0: [
                [
                    {0: {0: Tagged(111, bytes.fromhex("2b060104019c780301"))}, 1: Tagged(560, digest)},
                    [{0: 641, 1: {2: [[7, digest]]}}],
                ]
                for digest in export.digests
            ]
        },
    }
    assert found[3] == Tagged(32, PROFILE)
    assert found[4] == {0: Tagged(1, TIME), 1: Tagged(1, TIME + 365 * DAY)}
    assert found[5] == [{**SIGNER, 2: [1]}]
    assert sorted(found) == [0, 1, 3, 4, 5]


def test_equal_input_gives_equal_bytes() -> None:
    assert made(export_of(3, settings=settings())) == made(export_of(3, settings=settings()))
    signed = settings(key=pem(p384()))
    assert made(export_of(3, settings=signed)) == made(export_of(3, settings=signed))


def test_the_id_names_the_release_and_is_of_no_other_content() -> None:
    # the store of Veraison refuses another CoRIM with an id that it has
    one = export_of(1, settings=settings())
    others = [
        one,
        export_of(2, settings=settings()),
        replace(one, settings=settings(days=30)),
        replace(one, settings=settings(valid_from=TIME + DAY)),
        replace(one, settings=settings(issuer="Other Ltd")),
        replace(one, settings=settings(issuer_url=None)),
    ]
    ids = [body(made(other))[0] for other in others]
    assert all(found.startswith("catalog.example/sev/release/1/") for found in ids)
    assert len(set(ids)) == len(others)


def test_a_catalog_that_is_not_published_is_named_by_its_manifest() -> None:
    export = export_of(1, settings=settings())
    local = replace(export, source=replace(export.source, origin=None, release=None, size=None, root=None))
    found = body(made(local))[0]
    assert found.startswith(f"unpublished/{'11' * 32}/")
    assert body(made(export))[0].rpartition("/")[2] == found.rpartition("/")[2]


def test_a_url_of_the_issuer_may_be_missing() -> None:
    found = body(made(export_of(1, settings=settings(issuer_url=None))))
    assert found[5] == [{0: NAME, 2: [1]}]
    assert decode(found[1][0].value, "x")[2] == [{0: NAME, 2: [0, 1]}]


@pytest.mark.parametrize("url", ["http://a", "https://a.example:8443/x?y=%20#z", "https://a/" + "x" * 502])
def test_a_url_of_http_is_taken(url: str) -> None:
    assert body(made(export_of(1, settings=settings(issuer_url=url))))[5][0][1] == Tagged(32, url)


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "urn:a", "https://", "https://a b", "https://a/%2", "https://é", "https://a/" + "x" * 503],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="the issuer's URL is not http"):
        made(export_of(1, settings=settings(issuer_url=url)))


@pytest.mark.parametrize("name", [None, "", "  ", "a\nb", "\udc80", "x" * 513])
def test_what_is_no_name_is_refused(name: str | None) -> None:
    with pytest.raises(UsageError, match="name of 1 to 512 printable characters"):
        made(export_of(1, settings=settings(issuer=name)))


def test_more_digests_than_veraison_reads_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corim, "MOST_TRIPLES", 3)
    assert made(export_of(3, settings=settings()))
    with pytest.raises(UsageError, match="at most 3 digests of one CoRIM, not 4"):
        made(export_of(4, settings=settings()))


@pytest.mark.parametrize("count", [4, 8_000])
def test_an_import_of_it_gives_the_same_digests(count: int) -> None:
    export = export_of(count, settings=settings())
    document = made(export)
    imported = read_document(document, GIVEN)
    assert [one.digest for one in imported.endorsed] == list(export.digests)
    assert {one.endorser for one in imported.endorsed} == {Endorser("corim", URL)}
    assert imported.checked == "none"
    assert imported.notes == (f"the id of the document is {body(document)[0]}", "the document counts until 2027-11-28")


@pytest.mark.parametrize(("key", "algorithm"), [(p384, -35), (ed, -8)])
def test_a_signed_one_is_verified_by_its_key(key: Callable[[], Key], algorithm: int) -> None:
    export = export_of(2, settings=settings(key=pem(key())))
    data = made(export)
    protected, unprotected, payload, _ = decode(data, "x").value
    meta = {0: SIGNER, 1: {0: Tagged(1, TIME), 1: Tagged(1, TIME + 365 * DAY)}}
    headers = decode(protected, "x")
    assert (headers.pop(1), headers.pop(3), decode(headers.pop(8), "x")) == (algorithm, "application/rim+cbor", meta)
    assert headers == unprotected == {}
    assert payload == made(replace(export, settings=settings()))
    public = key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    imported = read_document(data, parse_trusted(public, GIVEN))
    assert [one.digest for one in imported.endorsed] == list(export.digests)
    assert imported.checked == "signature"


def test_an_encrypted_key_needs_its_passphrase() -> None:
    locked = pem(p384(), BestAvailableEncryption(b"secret"))
    opened = settings(key=locked, passphrase=b"secret")
    assert made(export_of(1, settings=opened)) == made(export_of(1, settings=settings(key=pem(p384()))))
    with pytest.raises(UsageError, match="is encrypted, and no passphrase is given"):
        made(export_of(1, settings=settings(key=locked)))


@pytest.mark.parametrize("with_root", [False, True])
@pytest.mark.parametrize("key", [p384, ed])
def test_certificates_are_in_the_signature(key: Callable[[], Key], with_root: bool) -> None:
    chain = [leaf(key()), root()] if with_root else [leaf(key())]
    data = made(export_of(1, settings=settings(key=pem(key()), cert=certs(*chain))))
    headers = decode(decode(data, "x").value[0], "x")
    ders = [one.public_bytes(Encoding.DER) for one in chain]
    assert headers[33] == (ders if with_root else ders[0])
    assert decode(headers[8], "x")[1] == {0: Tagged(1, TIME), 1: Tagged(1, TIME + 9 * DAY)}
    assert body(decode(data, "x").value[2])[4][1] == Tagged(1, TIME + 365 * DAY)
    imported = read_document(data, replace(GIVEN, roots=(root(),)))
    assert (imported.checked, imported.certificate_until) == ("signature", TIME + 9 * DAY)


def test_a_signature_does_not_count_before_its_certificate() -> None:
    begun = leaf(p384(), start=TIME + 5)
    data = made(export_of(1, settings=settings(key=pem(p384()), cert=certs(begun))))
    assert decode(decode(decode(data, "x").value[0], "x")[8], "x")[1][0] == Tagged(1, TIME + 5)
    assert read_document(data, replace(GIVEN, roots=(root(),))).document_time == TIME + 5


@pytest.mark.parametrize(
    ("chain", "error", "message"),
    [
        (lambda: certs(leaf(ed())), MalformedInput, "first certificate, of 'signer', is not of the key in key.pem"),
        (lambda: certs(root(), leaf(p384())), MalformedInput, "'root', is not of the key"),
        (lambda: certs(leaf(p384()), leaf(ed())), MalformedInput, "'signer' may not sign certificates"),
        (lambda: certs(leaf(p384()), *[root()] * 5), MalformedInput, "chain.pem has 6 certificates, not 1 to 5"),
        (lambda: GivenFile("chain.pem", b"nothing"), MalformedInput, "chain.pem: no certificates in PEM or DER"),
        (lambda: certs(leaf(p384(), end=TIME - 1)), UsageError, "not valid at any time from 2026-11-28 to 2027-11-28"),
        (lambda: certs(leaf(p384(), start=TIME + 400 * DAY, end=TIME + 500 * DAY)), UsageError, "not valid at any"),
        (lambda: certs(leaf(p384()), root(end=TIME - 1)), UsageError, "not valid at any time"),
    ],
)
def test_certificates_that_do_not_fit_are_refused(
    chain: Callable[[], GivenFile], error: type[LdcatError], message: str
) -> None:
    with pytest.raises(error, match=message):
        made(export_of(1, settings=settings(key=pem(p384()), cert=chain())))


def test_a_certificate_and_a_passphrase_need_a_key() -> None:
    for more in ({"cert": certs(leaf(p384()))}, {"passphrase": b"secret"}):
        with pytest.raises(UsageError, match="and no key that signs"):
            made(export_of(1, settings=settings(**more)))


def test_another_curve_is_refused() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(MalformedInput, match="the key is P-256; a signed CoRIM needs P-384 or Ed25519"):
        made(export_of(1, settings=settings(key=pem(other))))


def test_notes_say_what_veraison_does_not_do() -> None:
    def codes(**more: Any) -> list[str]:
        return [note.code for note in corim.FORMAT.notes(export_of(1, settings=settings(**more)))]

    always = ["corim-policy-not-compared", "corim-adds-values", "corim-not-for-rvps"]
    assert codes() == codes(key=pem(p384()), cert=certs(leaf(p384()))) == always
    assert codes(key=pem(p384())) == [*always, "consumer-refuses"]
