"""The signatures of an ID block: right, and by another key or on other bytes."""

from __future__ import annotations

import pytest

from catalog.abi.ecdsa_p384 import EcdsaPublicKey, EcdsaSignature
from catalog.abi.id_auth import IdAuth
from catalog.endorse.id_signatures import check_id_signatures
from catalog.errors import VerificationFailed
from catalog.values import replace
from tests.support.attestation_builder import leaf_key
from tests.support.id_blocks import id_auth, public_key, signature

ID_KEY, AUTHOR_KEY = leaf_key("id"), leaf_key("author")
BLOCK = bytes(range(96))


ALONE, AUTHORED = id_auth(BLOCK, ID_KEY), id_auth(BLOCK, ID_KEY, AUTHOR_KEY)


@pytest.mark.parametrize("auth", [ALONE, AUTHORED])
def test_right_signatures(auth: IdAuth) -> None:
    check_id_signatures(auth, BLOCK)
    with pytest.raises(VerificationFailed, match="the ID block is not signed by its ID key"):
        check_id_signatures(auth, BLOCK[::-1])


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        (replace(AUTHORED, block_signature=signature(AUTHOR_KEY, BLOCK)), "the ID block is not signed"),
        (replace(AUTHORED, block_signature=EcdsaSignature(0, 0)), "the ID block is not signed"),
        (replace(AUTHORED, id_key=EcdsaPublicKey(1, 1)), "the ID block is not signed"),  # not a point of the curve
        (replace(AUTHORED, author_key=public_key(ID_KEY)), "the ID key is not signed by the author key"),
        (replace(AUTHORED, key_signature=signature(AUTHOR_KEY, BLOCK)), "the ID key is not signed by the author key"),
    ],
)
def test_wrong_signatures(auth: IdAuth, message: str) -> None:
    with pytest.raises(VerificationFailed, match=message):
        check_id_signatures(auth, BLOCK)
