"""DSSE envelopes: securesystemslib verifies those of every kind of key, and refuses what was changed."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from catalog.export.writers.dsse import PrivateKey, key_id, pre_authentication, sign_envelope

KINDS = ("Ed25519", "P-256", "P-384")
TYPE = "application/vnd.in-toto+json"


@cache
def key(kind: str) -> PrivateKey:
    curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}
    return ec.generate_private_key(curves[kind]) if kind in curves else Ed25519PrivateKey.generate()


def verify(envelope: Any, kind: str) -> None:
    public = SSlibKey.from_crypto(key(kind).public_key())
    assert list(Envelope.from_dict(envelope).verify([public], 1)) == [key_id(key(kind))]


@pytest.mark.parametrize("kind", KINDS)
def test_securesystemslib_verifies_it_with_the_public_key_alone(kind: str) -> None:
    signed = sign_envelope(TYPE, b'{"a":"\xc3\xa9"}', key(kind))
    assert signed == sign_envelope(TYPE, b'{"a":"\xc3\xa9"}', key(kind))
    assert signed.count(b"\n") == 1
    envelope = json.loads(signed)
    assert base64.b64decode(envelope["payload"]) == b'{"a":"\xc3\xa9"}'
    verify(envelope, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [{"payload": base64.b64encode(b"{ }").decode()}, {"payloadType": f"{TYPE}x"}])
def test_securesystemslib_refuses_a_changed_one(kind: str, change: dict[str, str]) -> None:
    envelope = json.loads(sign_envelope(TYPE, b"{}", key(kind)))
    with pytest.raises(VerificationError):
        verify({**envelope, **change}, kind)


def test_the_example_of_the_specification_is_encoded_as_there() -> None:
    encoded = pre_authentication("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
