"""DSSE: signatures over a payload and its type, in an envelope of JSON.

Source: https://github.com/secure-systems-lab/dsse, envelope.md and protocol.md (version 1).
"""

from __future__ import annotations

import base64
import hashlib
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey
"""On the curve P-256 or P-384, or Ed25519."""

_HASHES = {"secp256r1": hashes.SHA256, "secp384r1": hashes.SHA384}
_SCHEMES = {"secp256r1": "ecdsa-sha2-nistp256", "secp384r1": "ecdsa-sha2-nistp384"}


def sign_envelope(payload_type: str, payload: bytes, key: PrivateKey) -> bytes:
    """An envelope with one signature, on one line; equal input gives equal bytes."""
    envelope = {
        "payloadType": payload_type,
        "payload": _base64(payload),
        "signatures": [{"keyid": key_id(key), "sig": _base64(_sign(key, pre_authentication(payload_type, payload)))}],
    }
    return json.dumps(envelope, separators=(",", ":")).encode() + b"\n"


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """PAE: the bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def key_id(key: PrivateKey) -> str:
    """The identifier that securesystemslib and in-toto compute for a public key: SHA-256 of its canonical JSON, in hex.

    DSSE has none of its own; cosign takes any.
    """
    public = key.public_key()
    if isinstance(key, Ed25519PrivateKey):
        kind = scheme = "ed25519"
        text = public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    else:
        kind, scheme = "ecdsa", _SCHEMES[key.curve.name]
        text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    # canonical JSON as of OLPC has the characters of a text as they are, line breaks too
    canonical = f'{{"keytype":"{kind}","keyval":{{"public":"{text}"}},"scheme":"{scheme}"}}'
    return hashlib.sha256(canonical.encode()).hexdigest()


def _sign(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(data)
    return key.sign(data, ec.ECDSA(_HASHES[key.curve.name](), deterministic_signing=True))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
