"""Signatures of AMD's certificates, of its revocation lists, of attestation reports and of ID blocks.

Source: AMD 57230, chapter 3 (RSASSA-PSS with SHA-384); SEV-SNP ABI (56860), 10 (ECDSA on P-384 with SHA-384).
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from catalog.endorse.certificate import P384Key, RsaKey
from catalog.endorse.x509_parts import Signed

_RSA_BITS = range(2048, 8192 + 1)
"""Sizes of a modulus: AMD's have 4,096 bits, and a larger one takes long to verify with."""

_EXPONENTS = range(3, 1 << 32)
_PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)


class _EcdsaWithSha384(ec.ECDSA):
    """The signature scheme of reports and ID blocks.

    The constructor of ECDSA loads modules that only signing needs, for 10 ms.
    """

    def __init__(self) -> None:
        pass

    @property
    def algorithm(self) -> hashes.HashAlgorithm:
        return hashes.SHA384()

    @property
    def deterministic_signing(self) -> bool:
        return False


def has_signed(key: RsaKey | P384Key | None, signed: Signed) -> bool:
    """Whether a signature on a certificate or revocation list is by this key, in the one scheme that AMD uses."""
    if not isinstance(key, RsaKey) or key.modulus.bit_length() not in _RSA_BITS or key.exponent not in _EXPONENTS:
        return False
    try:
        public = rsa.RSAPublicNumbers(key.exponent, key.modulus).public_key()
        public.verify(signed.signature, signed.data, _PSS, hashes.SHA384())
    except (InvalidSignature, ValueError):  # ValueError: not a key
        return False
    return True


def has_signed_p384(key: RsaKey | P384Key | None, signature: tuple[bytes, bytes], data: bytes) -> bool:
    """Whether a signature on a report or an ID block is by this key. signature: r and s, little-endian."""
    if not isinstance(key, P384Key):
        return False
    r, s = (int.from_bytes(half, "little") for half in signature)
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), key.point)
        public.verify(encode_dss_signature(r, s), data, _EcdsaWithSha384())
    except (InvalidSignature, ValueError):  # ValueError: not a point of the curve
        return False
    return True


def sha256(data: bytes) -> bytes:
    """SHA-256 by cryptography, which is loaded here anyway: hashlib loads OpenSSL once more."""
    state = hashes.Hash(hashes.SHA256())
    state.update(data)
    return state.finalize()
