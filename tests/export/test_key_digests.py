"""Digests of keys of ID blocks: the same of a private key and of its public key; other kinds are refused and named."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from catalog.errors import MalformedInput, UsageError
from catalog.export.key_digests import key_digest
from catalog.export.settings import GivenFile

P384 = ec.derive_private_key(0x1234567890ABCDEF, ec.SECP384R1())


def private_pem(key: Any, passphrase: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    data: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return data


def public_pem(key: Any) -> bytes:
    data: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return data


def digest_of(data: bytes, passphrase: bytes | None = None) -> bytes:
    return key_digest(GivenFile("author.pem", data), passphrase)


def test_the_digest_is_of_the_key_as_the_secure_processor_reads_it() -> None:
    numbers = P384.public_key().public_numbers()
    fields = [number.to_bytes(48, "little").ljust(72, b"\0") for number in (numbers.x, numbers.y)]
    raw = (b"\2\0\0\0" + b"".join(fields)).ljust(1028, b"\0")
    assert digest_of(private_pem(P384)) == hashlib.sha384(raw).digest()


def test_a_public_key_is_enough_and_an_encrypted_key_needs_its_passphrase() -> None:
    expected = digest_of(private_pem(P384))
    assert digest_of(public_pem(P384)) == digest_of(public_pem(P384), b"horse") == expected
    assert digest_of(private_pem(P384, b"horse"), b"horse") == expected
    with pytest.raises(UsageError, match="encrypted"):
        digest_of(private_pem(P384, b"horse"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            public_pem(ec.generate_private_key(ec.SECP256R1())),
            "the public key is on secp256r1; an ID block",
        ),
        (public_pem(Ed25519PrivateKey.generate()), "the public key is on no curve; an ID block needs P-384"),
        (private_pem(ec.generate_private_key(ec.SECP256R1())), "the key is P-256"),
        (public_pem(P384).replace(b"A", b"B"), "no public key that can be read"),
        (public_pem(P384) * 2, "author.pem"),
        (b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", "no private key in PEM"),
        (b"", "no private key in PEM"),
    ],
)
def test_other_files_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        digest_of(data)
