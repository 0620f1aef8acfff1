"""Signature schemes: ours are those of the library, which are not constructed to save time."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from catalog.endorse import certificate_signatures
from catalog.endorse.certificate import P256Key
from tests.support.intel_certificates import p256_key, raw_point, raw_signature


@pytest.mark.parametrize("algorithm", [hashes.SHA384(), hashes.SHA256()])
def test_the_schemes_are_those_of_the_library(algorithm: hashes.HashAlgorithm) -> None:
    ours, theirs = certificate_signatures._Ecdsa(algorithm), ec.ECDSA(algorithm)
    assert isinstance(ours, ec.ECDSA)
    assert ours.algorithm is algorithm
    assert ours.deterministic_signing == theirs.deterministic_signing


def test_keys_and_signatures_of_another_kind_have_signed_nothing() -> None:
    key = p256_key("one")
    point, signature = b"\4" + raw_point(key), raw_signature(key, b"data")
    assert certificate_signatures.has_signed_p256(P256Key(point), signature, b"data")
    assert not certificate_signatures.has_signed_p256(P256Key(point), signature, b"other")
    assert not certificate_signatures.has_signed_p256(P256Key(point), signature[:-1], b"data")
    assert not certificate_signatures.has_signed_p256(P256Key(b"\4" + bytes(64)), signature, b"data")
    assert not certificate_signatures.has_signed_p256(None, signature, b"data")
    assert not certificate_signatures.has_signed_p384(P256Key(point), (bytes(72), bytes(72)), b"data")
