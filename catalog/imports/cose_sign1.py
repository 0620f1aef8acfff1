"""COSE_Sign1: one signature over a payload, with headers that it covers. Source: RFC 9052, 4.2 and 4.4; RFC 9053."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from catalog.errors import MalformedRecord, VerificationFailed
from catalog.imports.cbor import Tagged, decode, encode_signed

TAG = 18

ALGORITHM, CRITICAL, CONTENT_TYPE, X5CHAIN, X5T = 1, 2, 3, 33, 34
"""Header parameters. Source: IANA, COSE Header Parameters; RFC 9360 (x5chain, x5t)."""

SHA_256 = -16
"""Source: IANA, COSE Algorithms."""

_EDDSA = -8
_ECDSA = {-7: (hashes.SHA256(), 32), -35: (hashes.SHA384(), 48), -36: (hashes.SHA512(), 66)}
_PSS = {-37: hashes.SHA256(), -38: hashes.SHA384(), -39: hashes.SHA512()}
_CURVES = {-7: "secp256r1", -35: "secp384r1", -36: "secp521r1"}


@dataclass(frozen=True, slots=True)
class Sign1:
    """A signed message.

    protected: header parameters that the signature covers; unprotected: those that anybody can change.
    """

    protected: dict[Any, Any]
    unprotected: dict[Any, Any]
    payload: bytes
    signature: bytes
    signed: bytes

    @classmethod
    def parse(cls, data: bytes, what: str) -> Sign1:
        """Read a tagged COSE_Sign1; raises MalformedRecord."""
        message = decode(data, what)
        if not isinstance(message, Tagged) or message.tag != TAG:
            raise MalformedRecord(f"{what}: no COSE_Sign1")
        parts = message.value
        if not isinstance(parts, list) or [type(part) for part in parts] != [bytes, dict, bytes, bytes]:
            raise MalformedRecord(f"{what}: a COSE_Sign1 is protected and unprotected headers, payload and signature")
        header, unprotected, payload, signature = parts
        protected = decode(header, f"{what}: protected headers")
        if not isinstance(protected, dict):
            raise MalformedRecord(f"{what}: protected headers: no map")
        if set(protected) & set(unprotected):
            raise MalformedRecord(f"{what}: a header is there twice, protected and unprotected")
        if CRITICAL in protected:
            raise MalformedRecord(f"{what}: critical headers are not supported")
        return cls(protected, unprotected, payload, signature, encode_signed("Signature1", header, b"", payload))

    def chain(self, what: str) -> list[bytes]:
        """Certificates of the protected x5chain in DER, the signer's first; empty if there is none."""
        value = self.protected.get(X5CHAIN, [])
        ders = [value] if isinstance(value, bytes) else value
        if not isinstance(ders, list) or not all(isinstance(der, bytes) for der in ders):
            raise MalformedRecord(f"{what}: x5chain: no certificates")
        return ders

    def verify(self, key: PublicKeyTypes, what: str) -> None:
        """Raises VerificationFailed unless the key made the signature, by the protected algorithm."""
        algorithm = self.protected.get(ALGORITHM)
        try:
            self._verify(key, algorithm)
        except InvalidSignature as error:
            raise VerificationFailed(f"{what}: the signature is not of this document and key") from error
        except _OtherKey as error:
            raise VerificationFailed(f"{what}: algorithm {algorithm!r} does not go with the key") from error

    def _verify(self, key: PublicKeyTypes, algorithm: object) -> None:
        if not isinstance(algorithm, int):
            raise _OtherKey
        if algorithm in _PSS and isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
            hashed = _PSS[algorithm]
            pss = padding.PSS(mgf=padding.MGF1(hashed), salt_length=padding.PSS.DIGEST_LENGTH)
            key.verify(self.signature, self.signed, pss, hashed)
        elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == _CURVES.get(algorithm):
            hashed, size = _ECDSA[algorithm]
            if len(self.signature) != 2 * size:
                raise InvalidSignature
            r, s = (int.from_bytes(half, "big") for half in (self.signature[:size], self.signature[size:]))
            key.verify(encode_dss_signature(r, s), self.signed, ec.ECDSA(hashed))
        elif algorithm == _EDDSA and isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(self.signature, self.signed)
        else:
            raise _OtherKey


class _OtherKey(Exception):
    """The key is not of the algorithm that the headers name, or too short."""
