"""The signatures of an ID block: by the ID key, and on the ID key by the author key.

Source: SEV-SNP ABI (56860), 8.18, SNP_LAUNCH_FINISH, as the secure processor checks them.
"""

from __future__ import annotations

from catalog.abi.ecdsa_p384 import NUMBER_SIZE, EcdsaPublicKey, EcdsaSignature
from catalog.abi.id_auth import IdAuth
from catalog.endorse.certificate import P384Key
from catalog.endorse.certificate_signatures import has_signed_p384
from catalog.errors import VerificationFailed


def check_id_signatures(auth: IdAuth, block: bytes) -> None:
    """Raises VerificationFailed unless every signature of `auth` is right. block: the 96 bytes of the ID block."""
    if not _has_signed(auth.id_key, auth.block_signature, block):
        raise VerificationFailed("the ID block is not signed by its ID key")
    author, signature = auth.author_key, auth.key_signature
    if author and signature and not _has_signed(author, signature, auth.id_key.to_bytes()):
        raise VerificationFailed("the ID key is not signed by the author key")


def _has_signed(key: EcdsaPublicKey, signature: EcdsaSignature, data: bytes) -> bool:
    r, s = (number.to_bytes(NUMBER_SIZE, "little") for number in (signature.r, signature.s))
    return has_signed_p384(P384Key(key.point), (r, s), data)
