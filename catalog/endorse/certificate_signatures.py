"""Signatures of certificates and revocation lists, of attestation reports, ID blocks and quotes.

Source: AMD 57230, chapter 3 (RSASSA-PSS with SHA-384); SEV-SNP ABI (56860), 10 (ECDSA on P-384 with SHA-384); Intel TDX
DCAP Quoting Library API, A.3, and Intel SGX PCK Certificate and CRL Profile, 1.4 (ECDSA on P-256 with SHA-256).
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from catalog.endorse.certificate import P256Key, P384Key, RsaKey
from catalog.endorse.x509_parts import Signed

_RSA_BITS = range(2048, 8192 + 1)
"""Sizes of a modulus: AMD's have 4,096 bits, and a larger one takes long to verify with."""

_EXPONENTS = range(3, 1 << 32)
_PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)


_P256_SIGNATURE = 64


class _Ecdsa(ec.ECDSA):
    """A signature scheme: of reports and ID blocks, or of quotes.

    The constructor of ECDSA loads modules that only signing needs, for 10 ms.
    """

    def __init__(self, algorithm: hashes.HashAlgorithm) -> None:
        self._hash = algorithm

    @property
    def algorithm(self) -> hashes.HashAlgorithm:
        return self._hash

    @property
    def deterministic_signing(self) -> bool:
        return False


_SHA384, _SHA256 = _Ecdsa(hashes.SHA384()), _Ecdsa(hashes.SHA256())


def has_signed(key: RsaKey | P384Key | P256Key | None, signed: Signed) -> bool:
    """Whether a signature on a certificate or revocation list is by this key: in the one scheme that AMD uses with RSA,
    and Intel with P-256.
    """
    if isinstance(key, P256Key):
        return _has_signed(ec.SECP256R1(), key.point, signed.signature, signed.data, _SHA256)
    if not isinstance(key, RsaKey) or key.modulus.bit_length() not in _RSA_BITS or key.exponent not in _EXPONENTS:
        return False
    try:
        public = rsa.RSAPublicNumbers(key.exponent, key.modulus).public_key()
        public.verify(signed.signature, signed.data, _PSS, hashes.SHA384())
    except (InvalidSignature, ValueError):  # ValueError: not a key
        return False
    return True


def has_signed_p384(key: RsaKey | P384Key | P256Key | None, signature: tuple[bytes, bytes], data: bytes) -> bool:
    """Whether a signature on a report or an ID block is by this key. signature: r and s, little-endian."""
    if not isinstance(key, P384Key):
        return False
    r, s = (int.from_bytes(half, "little") for half in signature)
    return _has_signed(ec.SECP384R1(), key.point, encode_dss_signature(r, s), data, _SHA384)


def has_signed_p256(key: RsaKey | P384Key | P256Key | None, signature: bytes, data: bytes) -> bool:
    """Whether a signature on a quote, on a report of a QE or on collateral is by this key.

    signature: r and s, big-endian, 32 bytes each.
    """
    if not isinstance(key, P256Key) or len(signature) != _P256_SIGNATURE:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    return _has_signed(ec.SECP256R1(), key.point, encode_dss_signature(r, s), data, _SHA256)


def _has_signed(curve: ec.EllipticCurve, point: bytes, signature: bytes, data: bytes, scheme: ec.ECDSA) -> bool:
    """Whether a signature in DER is by the key with this point."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(curve, point).verify(signature, data, scheme)
    except (InvalidSignature, ValueError):  # ValueError: not a point of the curve
        return False
    return True


def sha256(data: bytes) -> bytes:
    """SHA-256 by cryptography, which is loaded here anyway: hashlib loads OpenSSL once more."""
    state = hashes.Hash(hashes.SHA256())
    state.update(data)
    return state.finalize()
