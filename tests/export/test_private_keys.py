"""Private keys of exports: the forms that openssl writes are read, every other key is refused and named."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from catalog.errors import LdcatError, MalformedInput, UsageError
from catalog.export.private_keys import CORIM, DSSE, GCE, ID_BLOCK, Wanted, load_key
from catalog.export.settings import GivenFile
from tests.support.encrypted_keys import PBKDF2, costly_pem

P256, P384, ED25519 = (
    ec.generate_private_key(ec.SECP256R1()),
    ec.generate_private_key(ec.SECP384R1()),
    Ed25519PrivateKey.generate(),
)
RSA_2048, RSA_1024 = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 1024)
PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n"
"""What `openssl ecparam -genkey` writes before the key."""


def pem(
    private: Any,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption = NoEncryption(),  # noqa: B008
) -> bytes:
    found: bytes = private.private_bytes(Encoding.PEM, form, encryption)
    return found


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_the_forms_of_openssl_are_read(form: PrivateFormat, passphrase: bytes | None) -> None:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    cases: list[tuple[Any, Wanted[Any]]] = [(P384, ID_BLOCK), (RSA_2048, GCE)]
    for private, wanted in cases:
        found = load_key(GivenFile("k.pem", pem(private, form, encryption)), passphrase, wanted)
        assert found.private_numbers() == private.private_numbers()


def test_a_passphrase_is_for_the_keys_that_are_encrypted() -> None:
    assert load_key(GivenFile("k.pem", pem(P384)), b"horse", ID_BLOCK).private_numbers() == P384.private_numbers()


def test_the_curve_may_be_named_before_the_key() -> None:
    data = PARAMETERS + pem(P384, PrivateFormat.TraditionalOpenSSL)
    assert load_key(GivenFile("k.pem", data), None, ID_BLOCK).private_numbers() == P384.private_numbers()


@pytest.mark.parametrize(
    ("private", "wanted"),
    [(P384, CORIM), (ED25519, CORIM), (ED25519, DSSE), (P256, DSSE), (P384, DSSE), (RSA_2048, GCE)],
)
def test_each_format_takes_its_kinds(private: Any, wanted: Wanted[Any]) -> None:
    found = load_key(GivenFile("k.pem", pem(private)), None, wanted)
    assert pem(found) == pem(private)


@pytest.mark.parametrize(
    ("private", "wanted", "message", "hint"),
    [
        (P256, ID_BLOCK, "the key is P-256; an ID block needs P-384", "ec_paramgen_curve:P-384 -out"),
        (ED25519, ID_BLOCK, "the key is Ed25519; an ID block needs P-384", "ec_paramgen_curve:P-384 -out"),
        (RSA_2048, ID_BLOCK, "the key is RSA; an ID block needs P-384", "ec_paramgen_curve:P-384"),
        (P256, CORIM, "the key is P-256; a signed CoRIM needs P-384 or Ed25519", "ec_paramgen_curve:P-384"),
        (RSA_2048, DSSE, "needs Ed25519, P-256 or P-384", "genpkey -algorithm ED25519 -out"),
        (RSA_1024, GCE, "RSA of 1024 bits; a launch endorsement needs RSA of 2048 to 8192", "rsa_keygen_bits:4096"),
        (ec.generate_private_key(ec.SECP256K1()), DSSE, "the key is on the curve secp256k1", "genpkey"),
        (ec.generate_private_key(ec.SECP521R1()), CORIM, "the key is P-521", "genpkey"),
        (Ed448PrivateKey.generate(), CORIM, "the key is of another kind", "genpkey"),
    ],
)
def test_a_key_of_another_kind_is_named(private: Any, wanted: Wanted[Any], message: str, hint: str) -> None:
    with pytest.raises(MalformedInput, match=f"k.pem: .*{message}") as error:
        load_key(GivenFile("k.pem", pem(private)), None, wanted)
    assert hint in (error.value.hint or "")


PUBLIC = P384.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = P384.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
OPENSSH = pem(P384, PrivateFormat.OpenSSH)
CLOSED = pem(P384, encryption=BestAvailableEncryption(b"horse"))


@pytest.mark.parametrize(
    ("data", "kind", "message", "hint"),
    [
        (b"", MalformedInput, "no private key in PEM", "openssl genpkey"),
        (DER, MalformedInput, "no private key in PEM", "openssl pkey -inform DER"),
        (PUBLIC, MalformedInput, "is a public key; an ID block needs the private key", "openssl genpkey"),
        (PARAMETERS, MalformedInput, "no private key in PEM", ""),
        (OPENSSH, MalformedInput, "a private key of OpenSSH", "openssl genpkey"),
        (pem(P384) * 2, MalformedInput, "has 2 private keys", "an ID block needs a key of its own: openssl genpkey"),
        (pem(P384)[:-40], MalformedInput, "no private key in PEM", ""),
        (pem(P384).replace(b"MI", b"AA"), MalformedInput, "no private key that can be read", ""),
        (pem(P384).replace(b"KEY-----\n", b"KEY-----\n" + b"AAAA\n" * 9000, 1), MalformedInput, "at most 16384", ""),
        (CLOSED, UsageError, "is encrypted, and no passphrase is given", "--passphrase-file FILE"),
        (
            pem(P384, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"horse")),
            UsageError,
            "is encrypted, and no passphrase is given",
            "",
        ),
    ],
)
def test_files_that_are_refused(data: bytes, kind: type[LdcatError], message: str, hint: str) -> None:
    with pytest.raises(kind) as error:
        load_key(GivenFile("k.pem", data), None, ID_BLOCK)
    text = f"{error.value}: {error.value.hint or ''}"
    assert message in text
    assert hint in text
    assert len(error.value.hint or "") <= 200


def test_a_wrong_passphrase_and_one_that_costs_too_much() -> None:
    with pytest.raises(MalformedInput, match="the passphrase is wrong") as error:
        load_key(GivenFile("k.pem", CLOSED), b"battery", ID_BLOCK)
    assert "battery" not in f"{error.value}{error.value.hint}"
    assert error.value.hint == "--passphrase-file FILE names the passphrase of this key"
    with pytest.raises(MalformedInput, match="takes too long to decrypt"):
        load_key(GivenFile("k.pem", costly_pem(PBKDF2)), b"horse", ID_BLOCK)


def test_the_numbers_of_an_rsa_key_are_checked() -> None:
    right = RSA_2048.private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        right.p, right.q, right.d ^ 2, right.dmp1, right.dmq1, right.iqmp, right.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    with pytest.raises(MalformedInput, match="has no private key that can be read"):
        load_key(GivenFile("k.pem", pem(wrong)), None, GCE)
