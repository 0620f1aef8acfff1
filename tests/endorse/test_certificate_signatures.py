"""Signature schemes: ours of reports is that of the library, which is not constructed to save time."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from catalog.endorse import certificate_signatures


def test_the_scheme_of_reports_is_that_of_the_library() -> None:
    ours, theirs = certificate_signatures._EcdsaWithSha384(), ec.ECDSA(hashes.SHA384())
    assert isinstance(ours, ec.ECDSA)
    assert isinstance(ours.algorithm, hashes.SHA384)
    assert ours.deterministic_signing == theirs.deterministic_signing
