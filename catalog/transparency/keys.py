"""Keys of notes and cosignatures: Ed25519 and ML-DSA-44, as C2SP signed-note and tlog-cosignature write them.

A key is a name, a signature type and a public key; its id follows from the three, and a key with another id is refused.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from catalog.errors import MalformedInput, UsageError, VerificationFailed
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.encoding import MAX_NUMBER, from_base64, is_name, to_base64

KEY_ID_SIZE = 4
_TIMESTAMP = struct.Struct(">Q")
TIMESTAMP_SIZE = _TIMESTAMP.size
"""Bytes of the time before a cosignature."""


class SignatureType(IntEnum):
    """The byte before a public key. COSIGNATURE_*: over a checkpoint alone, with the time."""

    ED25519 = 0x01
    COSIGNATURE_ED25519 = 0x04
    COSIGNATURE_ML_DSA_44 = 0x06

    @property
    def public_key_size(self) -> int:
        """In bytes."""
        return 1312 if self is SignatureType.COSIGNATURE_ML_DSA_44 else 32

    @property
    def title(self) -> str:
        """For people."""
        return {0x01: "Ed25519", 0x04: "Ed25519 cosignature", 0x06: "ML-DSA-44 cosignature"}[self]

    @property
    def is_timed(self) -> bool:
        """Whether signatures say when they were made."""
        return self is not SignatureType.ED25519

    @property
    def covers_extensions(self) -> bool:
        """Whether signatures are of every line of a checkpoint; else of origin, size and root alone."""
        return self is not SignatureType.COSIGNATURE_ML_DSA_44


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """What verifies the signatures of one key. public_key: 32 bytes of Ed25519, 1,312 of ML-DSA-44."""

    name: str
    type: SignatureType
    public_key: bytes

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise MalformedInput(f"{self.name!r} is no name of a key", "no blanks, no plus, 1 to 255 bytes")
        if len(self.public_key) != self.type.public_key_size:
            raise MalformedInput(f"the public key of {self.name} has {len(self.public_key)} bytes")

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """From a vkey: name, hex of the id, base64 of type and key, with plus between them; raises MalformedInput."""
        name, _, rest = text.partition("+")
        key_id, plus, encoded = rest.partition("+")
        if not plus:
            raise MalformedInput("a verifier key is a name, an id and base64, with + between them")
        value = from_base64(encoded, f"the verifier key of {name!r}")
        try:
            kind = SignatureType(value[0])
        except ValueError as error:
            raise MalformedInput(f"the verifier key of {name!r} is of the unknown type {value[0]:#04x}") from error
        found = cls(name, kind, value[1:])
        if found.key_id.hex() != key_id:
            raise MalformedInput(f"the verifier key of {name!r} has the id {key_id!r}, and not {found.key_id.hex()}")
        return found

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{to_base64(bytes([self.type]) + self.public_key)}"

    @property
    def key_id(self) -> bytes:
        """4 bytes that follow from the rest."""
        named = self.name.encode() + b"\n" + bytes([self.type]) + self.public_key
        return hashlib.sha256(named).digest()[:KEY_ID_SIZE]

    @property
    def pem(self) -> str:
        """The public key as other programs read it: SubjectPublicKeyInfo in PEM."""
        ml_dsa = self.type is SignatureType.COSIGNATURE_ML_DSA_44
        public = (MLDSA44PublicKey if ml_dsa else Ed25519PublicKey).from_public_bytes(self.public_key)
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    def verify(self, text: str, signature: bytes) -> int | None:
        """When the text of a note was signed; None where the signature does not say, 0 where a cosigner would not.

        Raises VerificationFailed for what this key did not sign, MalformedInput for a cosignature of no checkpoint.
        """
        timestamp = None
        if self.type.is_timed:
            if len(signature) < _TIMESTAMP.size:
                raise VerificationFailed(f"the cosignature of {self.name} is cut off")
            (timestamp,) = _TIMESTAMP.unpack_from(signature)
            signature = signature[_TIMESTAMP.size :]
            if timestamp > MAX_NUMBER:
                raise VerificationFailed(f"the time of the cosignature of {self.name} is above 2**63 - 1")
        message = signed_message(self.type, self.name, text, timestamp)
        try:
            if self.type is SignatureType.COSIGNATURE_ML_DSA_44:
                MLDSA44PublicKey.from_public_bytes(self.public_key).verify(signature, message)
            else:
                Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise VerificationFailed(f"the signature of {self.name} is not of this text") from error
        return timestamp


@dataclass(frozen=True, slots=True)
class Signer:
    """A verifier key, and what signs a message with the private one, which may be in a device."""

    key: VerifierKey
    sign_message: Callable[[bytes], bytes]

    def sign(self, text: str, now: int) -> bytes:
        """What stands behind the key id in a note. now: seconds since 1970.

        Raises UsageError for a cosignature without a time, as 0 says there: a witness makes none (tlog-witness).
        """
        timestamp = now if self.key.type.is_timed else None
        if timestamp is not None and timestamp <= 0:
            raise UsageError("the clock of this machine says no time to cosign at", "set it")
        signature = self.sign_message(signed_message(self.key.type, self.key.name, text, timestamp))
        return signature if timestamp is None else _TIMESTAMP.pack(timestamp) + signature


def signed_message(kind: SignatureType, name: str, text: str, timestamp: int | None) -> bytes:
    """The bytes that are signed. name: of the key. timestamp: of a cosignature.

    Raises MalformedInput where a cosignature is asked for and the text is no checkpoint. Source: tlog-cosignature.
    """
    if timestamp is None:
        return text.encode()
    checkpoint = Checkpoint.claimed(text)
    if kind is SignatureType.COSIGNATURE_ED25519:
        return f"cosignature/v1\ntime {timestamp}\n{text}".encode()
    cosigner, origin = name.encode(), checkpoint.origin.encode()
    return b"".join(
        (
            b"subtree/v1\n\0",
            bytes([len(cosigner)]) + cosigner,
            _TIMESTAMP.pack(timestamp),
            bytes([len(origin)]) + origin,
            _TIMESTAMP.pack(0),
            _TIMESTAMP.pack(checkpoint.size),
            checkpoint.root,
        )
    )
