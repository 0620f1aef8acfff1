"""CoRIMs of the vectors: ours have the same bytes but for the id, and fit the CDDL of the draft."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from cddl_verifier import Validator
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from catalog.export.formats.corim import FORMAT
from catalog.export.settings import GivenFile, Settings
from catalog.export.writers.cbor_writer import encode
from catalog.imports.cbor import Tagged, decode
from catalog.imports.chains import parse_trusted
from catalog.imports.cose_sign1 import Sign1
from catalog.imports.documents import Given, read_document
from tests.real.export_vectors import ALL, SOURCE, TIME, vector_export
from tests.real.shared import EXCHANGE

ISSUER = Settings(issuer="ldcat example", issuer_url="https://catalog.example", valid_from=TIME, days=365)
GIVEN = Given(TIME)
SIGNED = (EXCHANGE / "a/corim-signed.cose").read_bytes()
VERAISON = (EXCHANGE / "import/corim-sevsnp-valid.cbor").read_bytes()
CDDL = EXCHANGE / "import/corim-2026-08-19.cddl"
DIGEST_RULE = "eatmc.digest = [ alg: (int / text), val: bytes ]"
"""Of a draft that this one imports; the CDDL has no rule of that name without it."""

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def corim(folder: str, key: Key | None = None) -> bytes:
    settings = ISSUER
    if key is not None:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        settings = replace(ISSUER, key=GivenFile("key.pem", pem))
    export = replace(vector_export(folder, settings), source=replace(SOURCE, origin="ldcat.example", release=1))
    (file,) = FORMAT.files(export)
    return b"".join(file.chunks())


def with_id(data: bytes, name: str) -> bytes:
    document = decode(data, "x")
    return encode(Tagged(document.tag, {**document.value, 0: name}))


@pytest.mark.parametrize("folder", ALL)
def test_a_corim_of_the_vectors_is_reproduced_but_for_its_id(folder: str) -> None:
    expected = (EXCHANGE / folder / "corim-veraison.cbor").read_bytes()
    found = corim(folder)
    assert with_id(found, "ldcat.example/release/1") == expected
    assert decode(found, "x").value[0].startswith("ldcat.example/release/1/")


@pytest.mark.parametrize("folder", ALL)
def test_an_import_gives_the_digests_that_were_exported(folder: str) -> None:
    ours = read_document(corim(folder), GIVEN)
    theirs = read_document((EXCHANGE / folder / "corim-veraison.cbor").read_bytes(), GIVEN)
    assert [one.digest for one in ours.endorsed] == list(vector_export(folder).digests)
    assert ours.endorsed == theirs.endorsed


def test_the_signature_of_the_vectors_is_verified_and_ours_says_the_same() -> None:
    public = load_pem_public_key((EXCHANGE / "test-keys/corim.pub.pem").read_bytes())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    theirs = Sign1.parse(SIGNED, "vector")
    theirs.verify(public, "vector")
    key = ec.generate_private_key(ec.SECP384R1())
    ours = Sign1.parse(corim("a", key), "ours")
    ours.verify(key.public_key(), "ours")
    assert ours.protected == theirs.protected
    assert with_id(ours.payload, "ldcat.example/release/1") == theirs.payload
    assert encode(decode(SIGNED, "vector")) == SIGNED


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()])
def test_a_signed_one_is_imported_by_the_key(key: Key) -> None:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    imported = read_document(corim("many", key), parse_trusted(pem, GIVEN))
    assert [one.digest for one in imported.endorsed] == list(vector_export("many").digests)
    assert imported.checked == "signature"


@cache
def draft() -> Validator:
    text = CDDL.read_text()
    return Validator(text if DIGEST_RULE in text else f"{text}\n{DIGEST_RULE}\n")


def fits(data: bytes) -> bool:
    return bool(draft().validate(data, root_type="corim").valid)


@pytest.mark.parametrize("folder", ALL)
def test_it_fits_the_cddl_of_the_draft(folder: str) -> None:
    assert fits(corim(folder))
    assert fits(corim(folder, ec.generate_private_key(ec.SECP384R1())))


def test_the_samples_of_others_fit_it_too() -> None:
    assert fits(VERAISON)
    assert fits(SIGNED)


def _comid(change: Callable[[dict[Any, Any]], None]) -> Callable[[dict[Any, Any]], None]:
    """A change of the CoMID in a CoRIM."""

    def changed(body: dict[Any, Any]) -> None:
        comid = decode(body[1][0].value, "x")
        change(comid)
        body[1] = [Tagged(506, encode(comid))]

    return changed


def _three_part_digest(comid: dict[Any, Any]) -> None:
    comid[4][0][0][1][0][1][2][0].append(0)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda body: body.update({3: [body[3]]}), id="profile in an array"),
        pytest.param(lambda body: body.update({1: []}), id="no tags"),
        pytest.param(_comid(lambda comid: comid[4].clear()), id="no triples"),
        pytest.param(_comid(_three_part_digest), id="digest that is no pair"),
        pytest.param(lambda body: body[4].pop(1), id="validity without an end"),
    ],
)
def test_what_breaks_the_cddl_is_noticed(change: Callable[[dict[Any, Any]], None]) -> None:
    document = decode(corim("many"), "x")
    assert fits(encode(document))
    change(document.value)
    assert not fits(encode(document))
