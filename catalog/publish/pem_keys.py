"""Private keys in PEM (PKCS#8): Ed25519 and ML-DSA-44, also in the form that OpenSSL writes by default.

OpenSSL 3.5 and later write the seed and the expanded key of ML-DSA-44, unless a provider parameter says otherwise
(EVP_PKEY-ML-DSA(7); `both` of ML-DSA-44-PrivateKey in RFC 9881). The seed is what is read: the rest follows from it.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from catalog.errors import MalformedInput
from catalog.publish.pem_blocks import ENCRYPTED, END, read_pem

PrivateKey = Ed25519PrivateKey | MLDSA44PrivateKey

_ML_DSA_44 = bytes.fromhex("020100300b0609608648016503040311")
"""Version 0 and the algorithm ML-DSA-44: what follows the first tag and length."""

_SEED_SIZE, _EXPANDED_SIZE = 32, 2560
"""Bytes."""

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
    if not pem.startswith(ENCRYPTED):
        pem = _with_seed_only(pem, where)
    private = read_pem(pem, passphrase, where, hint=f"for ML-DSA-44: {_CONVERT.format(' -aes256')}")
    if not isinstance(private, Ed25519PrivateKey | MLDSA44PrivateKey):
        raise MalformedInput(f"{where} has a private key that is neither Ed25519 nor ML-DSA-44")
    return private


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
