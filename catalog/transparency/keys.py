"""Keys of notes and cosignatures: Ed25519 and ML-DSA-44, as C2SP signed-note and tlog-cosignature define them.

A key is a name, a signature type and a public key. Its key ID is computed from them; another key ID is an error.
"""

from __future__ import annotations

import struct

from catalog.errors import MalformedInput, UsageError, VerificationFailed
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.encoding import MAX_NUMBER, from_base64, is_name, to_base64
from catalog.transparency.light_sha256 import sha256
from catalog.values import IntEnum, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

KEY_ID_SIZE = 4
_TIMESTAMP = struct.Struct(">Q")
TIMESTAMP_SIZE = _TIMESTAMP.size
"""Bytes: the big-endian timestamp in front of a cosignature."""


class SignatureType(IntEnum):
    """The signature type, a byte in front of a public key. COSIGNATURE_*: of checkpoints only, with a timestamp."""

    ED25519 = 0x01
    COSIGNATURE_ED25519 = 0x04
    COSIGNATURE_ML_DSA_44 = 0x06

    @property
    def public_key_size(self) -> int:
        """Size of a public key in bytes."""
        return 1312 if self is SignatureType.COSIGNATURE_ML_DSA_44 else 32

    @property
    def title(self) -> str:
        """The name of the type for people."""
        return {0x01: "Ed25519", 0x04: "Ed25519 cosignature", 0x06: "ML-DSA-44 cosignature"}[self]

    @property
    def is_timed(self) -> bool:
        """Whether signatures have a timestamp."""
        return self is not SignatureType.ED25519

    @property
    def covers_extensions(self) -> bool:
        """Whether signatures cover every line of a checkpoint; otherwise they cover origin, size and root only."""
        return self is not SignatureType.COSIGNATURE_ML_DSA_44


class VerifierKey(Value):
    """A key that verifies signatures.

    name: of the key; for a log its origin.
    type: signature type.
    public_key: 32 bytes for Ed25519, 1,312 for ML-DSA-44.
    """

    name: str
    type: SignatureType
    public_key: bytes

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise MalformedInput(f"invalid key name {self.name[:30]!r}", "no blanks, no plus, 1 to 255 bytes")
        if len(self.public_key) != self.type.public_key_size:
            raise MalformedInput(f"the public key of {self.name} has {len(self.public_key)} bytes")

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Parse a vkey: NAME+KEY_ID+BASE64, with the ID in hex, and type and key in base64. Raises MalformedInput."""
        name, _, rest = text.partition("+")
        key_id, plus, encoded = rest.partition("+")
        if not plus:
            raise MalformedInput(f"{text[:30]!r} is not a verifier key", "NAME+ID+BASE64, as ldcat keygen prints it")
        what = f"the verifier key of {name[:30]!r}"
        value = from_base64(encoded, what)
        try:
            kind = SignatureType(value[0])
        except ValueError as error:
            raise MalformedInput(f"{what} is of the unknown type {value[0]:#04x}") from error
        found = cls(name, kind, value[1:])
        if found.key_id.hex() != key_id:
            raise MalformedInput(f"{what} has the id {key_id[:10]!r}, and not {found.key_id.hex()}")
        return found

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{to_base64(bytes([self.type]) + self.public_key)}"

    @property
    def key_id(self) -> bytes:
        """The key ID: the first 4 bytes of a SHA-256 over name, type and public key."""
        named = self.name.encode() + b"\n" + bytes([self.type]) + self.public_key
        return sha256(named).digest()[:KEY_ID_SIZE]

    @property
    def pem(self) -> str:
        """The public key as SubjectPublicKeyInfo in PEM, for other programs."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # no signature needs it

        found: bytes = _loaded(self).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return found.decode("ascii")

    def verify(self, text: str, signature: bytes) -> int | None:
        """Verify a signature of a note's text. Returns its timestamp in seconds since 1970; None if it has none.

        Raises VerificationFailed for a wrong signature, MalformedInput for a cosignature of a text that is not a
        checkpoint. A cosignature may have the timestamp 0, which means that its signer states no time.
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
            _loaded(self).verify(signature, message)
        except Exception as error:
            from cryptography.exceptions import InvalidSignature  # only here: it takes as long as to verify

            if isinstance(error, InvalidSignature | ValueError):
                raise VerificationFailed(f"the signature of {self.name} does not match the text") from error
            raise
        return timestamp


def _loaded(key: VerifierKey) -> Any:
    """The public key of cryptography. Raises ValueError for an invalid one.

    Its public classes only call these functions, and take three times as long to import as a signature to verify; they
    are used if a later version has no such functions.
    """
    ml_dsa = key.type is SignatureType.COSIGNATURE_ML_DSA_44
    try:
        from cryptography.hazmat.bindings._rust import openssl

        load: Callable[[bytes], Any] = (
            openssl.mldsa.from_mldsa44_public_bytes if ml_dsa else openssl.ed25519.from_public_bytes
        )
    except (ImportError, AttributeError):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

        load = (MLDSA44PublicKey if ml_dsa else Ed25519PublicKey).from_public_bytes
    return load(key.public_key)


class Signer(Value):
    """A key that signs.

    key: its verifier key.
    sign_message: signs a message with the private key, which may be in a device.
    """

    key: VerifierKey
    sign_message: Callable[[bytes], bytes]

    def sign(self, text: str, now: int) -> bytes:
        """Sign the text of a note: what follows the key ID in a signature line. now: seconds since 1970.

        Raises UsageError for a cosignature at time 0, which would state no time: a witness must not (tlog-witness).
        """
        timestamp = now if self.key.type.is_timed else None
        if timestamp is not None and timestamp <= 0:
            raise UsageError("the system clock is at or before 1970", "set it")
        signature = self.sign_message(signed_message(self.key.type, self.key.name, text, timestamp))
        return signature if timestamp is None else _TIMESTAMP.pack(timestamp) + signature


def signed_message(kind: SignatureType, name: str, text: str, timestamp: int | None) -> bytes:
    """The bytes that are signed. name: of the key. timestamp: of a cosignature, in seconds since 1970.

    Raises MalformedInput for a cosignature of a text that is not a checkpoint. Source: tlog-cosignature.
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
