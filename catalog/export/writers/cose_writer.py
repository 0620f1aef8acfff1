"""COSE_Sign1: one signature over a payload and its protected headers. Source: RFC 9052, 4.2 and 4.4; RFC 9053."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from catalog.export.writers.cbor_writer import encode
from catalog.imports.cbor import Tagged, encode_signed
from catalog.imports.cose_sign1 import ALGORITHM, TAG

_EDDSA, _ES384 = -8, -35
"""Source: IANA, COSE Algorithms."""
_HALF = 48
"""Bytes of each of the two numbers of an ES384 signature, big-endian."""


def sign1(headers: Mapping[int, Any], payload: bytes, key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    """A tagged COSE_Sign1: EdDSA with Ed25519, or ES384 with P-384 and the deterministic nonce of RFC 6979.

    headers: protected header parameters but for the algorithm.
    """
    algorithm = _EDDSA if isinstance(key, Ed25519PrivateKey) else _ES384
    protected = encode({ALGORITHM: algorithm, **headers})
    signature = _sign(encode_signed("Signature1", protected, b"", payload), key)
    return encode(Tagged(TAG, [protected, {}, payload, signature]))


def _sign(data: bytes, key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(data)
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA384(), deterministic_signing=True)))
    return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")
