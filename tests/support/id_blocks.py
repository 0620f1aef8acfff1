"""ID auth structures, signed with keys of a test; independent of how ldcat signs them."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from catalog.abi.ecdsa_p384 import EcdsaPublicKey, EcdsaSignature
from catalog.abi.id_auth import IdAuth


def public_key(key: ec.EllipticCurvePrivateKey) -> EcdsaPublicKey:
    """The public key of a private key."""
    numbers = key.public_key().public_numbers()
    return EcdsaPublicKey(numbers.x, numbers.y)


def signature(key: ec.EllipticCurvePrivateKey, data: bytes) -> EcdsaSignature:
    """A signature on bytes."""
    return EcdsaSignature(*decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA384()))))


def id_auth(
    block: bytes, id_key: ec.EllipticCurvePrivateKey, author_key: ec.EllipticCurvePrivateKey | None = None
) -> IdAuth:
    """Signatures on an ID block, and on its ID key if there is an author key."""
    if author_key is None:
        return IdAuth(signature(id_key, block), public_key(id_key))
    key_signature = signature(author_key, public_key(id_key).to_bytes())
    return IdAuth(signature(id_key, block), public_key(id_key), key_signature, public_key(author_key))
