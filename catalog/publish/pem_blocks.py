"""Private keys in PEM blocks: found in a file, and decrypted with a bounded amount of work."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from math import prod

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from catalog.errors import MalformedInput, UsageError

BEGIN = b"-----BEGIN "
END = b"-----END "
ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"

_MOST_WORK = 1 << 24
"""Iterations of PBKDF2, or N * r * p of scrypt: a second or two, and 2 GiB at most. OpenSSL writes 2,048."""
_CHEAPER = "openssl pkcs8 -topk8 -iter 1000000 -in PEM -out NEW encrypts it again"

_INTEGER, _SEQUENCE = 0x02, 0x30
"""Tags of DER."""


def split_pem(data: bytes) -> Sequence[bytes]:
    """The PEM blocks of a file; what is between them is left out."""
    found = []
    while (start := data.find(BEGIN)) >= 0:
        block, end, after = data[start:].partition(END)
        last, _, data = after.partition(b"\n")
        if end:
            found.append(block + end + last + b"\n")
    return found


def is_encrypted(pem: bytes) -> bool:
    """Whether a block is encrypted: in PKCS#8, or in the older form of OpenSSL (RFC 1421, 4.6.1.1)."""
    return pem.startswith(ENCRYPTED) or b"\nProc-Type: 4,ENCRYPTED" in pem


def read_pem(
    pem: bytes, passphrase: bytes | None, where: str, *, hint: str | None = None, check_rsa: bool = False
) -> PrivateKeyTypes:
    """The private key in one PEM block, of any kind. where: what is read, for the messages, which have nothing of it.

    hint: for a key that cannot be decrypted.
    check_rsa: test whether the primes of an RSA key are prime: 3 seconds for 8,192 bits, and 10 for 10,000.
    Raises UsageError for a passphrase that is missing or not needed; MalformedInput for anything but a private key, and
    for one that takes too much work to decrypt.
    """
    if pem.startswith(ENCRYPTED) and passphrase:
        _check_work(pem, where)
    try:
        return serialization.load_pem_private_key(pem, passphrase, unsafe_skip_rsa_key_validation=not check_rsa)
    except TypeError as error:
        if passphrase:
            raise UsageError(f"{where} is not encrypted, but a passphrase is given") from error
        raise UsageError(f"{where} is encrypted, and no passphrase is given", "--passphrase-file FILE") from error
    except (ValueError, UnsupportedAlgorithm, InternalError) as error:
        if is_encrypted(pem):
            raise MalformedInput(
                f"{where}: the passphrase is wrong, or the private key has a form that is not read", hint
            ) from error
        raise MalformedInput(f"{where} has no private key that can be read") from error


def _check_work(pem: bytes, where: str) -> None:
    """Raises MalformedInput if deriving the key of an encrypted block takes too much: it cannot be interrupted."""
    try:
        der = base64.b64decode(b"".join(pem.partition(END)[0].removeprefix(ENCRYPTED).split()), validate=True)
        costs = list(_parameters(der))
    except (binascii.Error, IndexError) as error:
        raise MalformedInput(f"{where} has an encrypted private key that cannot be read") from error
    if len(costs) in (2, 4):  # the last one is the size of the key
        costs.pop()
    if prod(costs) > _MOST_WORK:
        raise MalformedInput(f"{where} has a private key that takes too long to decrypt", _CHEAPER)


def _parameters(der: bytes) -> Iterator[int]:
    """Every number in the algorithm of an EncryptedPrivateKeyInfo: its cost and sizes. Raises IndexError."""
    _, at, _ = _element(der, 0)
    _, at, end = _element(der, at)
    while at < end:
        tag, start, stop = _element(der, at)
        if tag == _INTEGER:
            yield int.from_bytes(der[start:stop], "big")
        at = start if tag == _SEQUENCE else stop


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag of a DER element, and where its contents begin and end. Raises IndexError."""
    tag, size, start = der[at], der[at + 1], at + 2
    if size & 0x80:
        size, start = int.from_bytes(der[start : start + (size & 0x7F)], "big"), start + (size & 0x7F)
    return tag, start, start + size
