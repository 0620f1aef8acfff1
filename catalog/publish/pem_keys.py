"""Private keys in PEM (PKCS#8): Ed25519 and ML-DSA-44, also in the form that OpenSSL writes by default.

OpenSSL 3.5 and later write the seed and the expanded key of ML-DSA-44, unless a provider parameter says otherwise
(EVP_PKEY-ML-DSA(7); `both` of ML-DSA-44-PrivateKey in RFC 9881). The seed is what is read: the rest follows from it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from math import prod

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from catalog.errors import MalformedInput, UsageError

PrivateKey = Ed25519PrivateKey | MLDSA44PrivateKey

BEGIN = b"-----BEGIN "
END = b"-----END "
_ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"

_ML_DSA_44 = bytes.fromhex("020100300b0609608648016503040311")
"""Version 0 and the algorithm ML-DSA-44: what follows the first tag and length."""

_MOST_WORK = 1 << 24
"""Iterations of PBKDF2, or N * r * p of scrypt: a second or two, and 2 GiB at most. OpenSSL writes 2,048."""
_CHEAPER = "openssl pkcs8 -topk8 -iter 1000000 -in PEM -out NEW encrypts it again"

_SEED_SIZE, _EXPANDED_SIZE = 32, 2560
"""Bytes."""

_INTEGER, _SEQUENCE = 0x02, 0x30
"""Tags of DER."""

_SEED_ONLY = bytes.fromhex("3034") + _ML_DSA_44 + bytes.fromhex("04228020")
_BOTH = bytes.fromhex("30820a3e") + _ML_DSA_44 + bytes.fromhex("04820a2a30820a260420")
_THEN = bytes.fromhex("04820a00")

_CONVERT = "openssl pkey -in PEM -provparam ml-dsa.output_formats=seed-only{} -out NEW converts it (OpenSSL 3.5)"
_WITHOUT_SEED = "make a new one: openssl genpkey -algorithm ML-DSA-44 -provparam ml-dsa.output_formats=seed-only"


def load_private_key(pem: bytes, passphrase: bytes | None, where: str) -> PrivateKey:
    """The private key in one PEM block. where: what is read, for the error messages.

    Raises UsageError for a passphrase that is missing or not needed; MalformedInput for anything else than a key of
    these two algorithms, and for one that takes too much work to decrypt. The message has nothing of the key.
    """
    if not pem.startswith(_ENCRYPTED):
        pem = _with_seed_only(pem, where)
    elif passphrase:
        _check_work(pem, where)
    try:
        private = serialization.load_pem_private_key(pem, passphrase)
    except TypeError as error:
        if passphrase:
            raise UsageError(f"{where} is not encrypted, but a passphrase is given") from error
        raise UsageError(f"{where} is encrypted, and no passphrase is given", "--passphrase-file FILE") from error
    except (ValueError, UnsupportedAlgorithm, InternalError) as error:
        if pem.startswith(_ENCRYPTED):
            raise MalformedInput(
                f"{where}: the passphrase is wrong, or the private key has a form that is not read",
                f"for ML-DSA-44: {_CONVERT.format(' -aes256')}",
            ) from error
        raise MalformedInput(f"{where} has no private key that can be read") from error
    if not isinstance(private, Ed25519PrivateKey | MLDSA44PrivateKey):
        raise MalformedInput(f"{where} has a private key that is neither Ed25519 nor ML-DSA-44")
    return private


def split_pem(data: bytes) -> Sequence[bytes]:
    """The PEM blocks of a file; what is between them is left out."""
    found = []
    while (start := data.find(BEGIN)) >= 0:
        block, end, after = data[start:].partition(END)
        last, _, data = after.partition(b"\n")
        if end:
            found.append(block + end + last + b"\n")
    return found


def _with_seed_only(pem: bytes, where: str) -> bytes:
    """An ML-DSA-44 key of OpenSSL in the form that cryptography reads; any other PEM block as it is."""
    try:
        der = base64.b64decode(b"".join(pem.partition(END)[0].split(b"\n")[1:]), validate=True)
    except binascii.Error:
        return pem
    if _ML_DSA_44 not in der[:24] or der.startswith(_SEED_ONLY):
        return pem
    size = len(_BOTH) + _SEED_SIZE
    if der.startswith(_BOTH) and der[size : size + 4] == _THEN and len(der) == size + 4 + _EXPANDED_SIZE:
        private = MLDSA44PrivateKey.from_seed_bytes(der[len(_BOTH) : size])
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return private.private_bytes(*form)
    if len(der) >= _EXPANDED_SIZE:
        raise MalformedInput(
            f"{where} has an expanded ML-DSA-44 key without its seed, which is not read", _WITHOUT_SEED
        )
    raise MalformedInput(f"{where} has an ML-DSA-44 key in a form that is not read", _CONVERT.format(""))


def _check_work(pem: bytes, where: str) -> None:
    """Raises MalformedInput if deriving the key of an encrypted block takes too much: it cannot be interrupted."""
    try:
        der = base64.b64decode(b"".join(pem.partition(END)[0].removeprefix(_ENCRYPTED).split()), validate=True)
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
