"""Digests of the keys of ID blocks, as reports name them: of a private key, or of a public key alone."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from catalog.abi.ecdsa_p384 import EcdsaPublicKey
from catalog.errors import MalformedInput
from catalog.export.private_keys import ID_BLOCK, load_key
from catalog.export.settings import GivenFile
from catalog.publish.pem_blocks import split_pem

_BEGIN = b"-----BEGIN PUBLIC KEY-----"
_TO_PUBLIC = "openssl pkey -in KEY.pem -pubout writes the public key of a private one"


def key_digest(file: GivenFile, passphrase: bytes | None) -> bytes:
    """SHA-384 of a P-384 key in the form of the secure processor, 48 bytes. passphrase: of an encrypted private key.

    Raises MalformedInput for a key of another kind and for a file with several keys, and as `load_key`.
    """
    keys = [block for block in split_pem(file.data) if b" KEY-----" in block.partition(b"\n")[0]]
    if len(keys) == 1 and keys[0].startswith(_BEGIN):
        public = _public_key(keys[0], file.name)
    else:
        public = load_key(file, passphrase, ID_BLOCK).public_key()
    return EcdsaPublicKey.from_point(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)).digest()


def _public_key(pem: bytes, name: str) -> EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedInput(f"{name} has no public key that can be read", _TO_PUBLIC) from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise MalformedInput(f"{name}: the public key is on no curve; an ID block needs P-384", ID_BLOCK.hint)
    if not isinstance(key.curve, SECP384R1):
        raise MalformedInput(f"{name}: the public key is on {key.curve.name}; an ID block needs P-384", ID_BLOCK.hint)
    return key
