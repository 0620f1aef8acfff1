"""Which keys a user asks for: the signature algorithms of `ldcat init` and `ldcat keygen`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.transparency.keys import SignatureType


class Algorithm(StrEnum):
    """Signature algorithm; hybrid is one key of each."""

    ED25519 = "ed25519"
    ML_DSA_44 = "ml-dsa-44"
    HYBRID = "hybrid"


def signature_types(algorithm: Algorithm, ed25519: SignatureType) -> list[SignatureType]:
    """The type of each key. ed25519: the Ed25519 type of the role, which for a witness is that of cosignatures."""
    from catalog.transparency.keys import SignatureType

    ml_dsa_44 = SignatureType.COSIGNATURE_ML_DSA_44
    return {
        Algorithm.ED25519: [ed25519],
        Algorithm.ML_DSA_44: [ml_dsa_44],
        Algorithm.HYBRID: [ed25519, ml_dsa_44],
    }[algorithm]
