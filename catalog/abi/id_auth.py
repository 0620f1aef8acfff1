"""IdAuth: who signed an ID block; 4,096 bytes, which the host passes to the secure processor beside it.

Source: SEV-SNP ABI (56860), 8.18, SNP_LAUNCH_FINISH, ID authentication information structure.
"""

from __future__ import annotations

from catalog.abi.ecdsa_p384 import PUBLIC_KEY_SIZE, SIGNATURE_SIZE, EcdsaPublicKey, EcdsaSignature
from catalog.errors import MalformedInput
from catalog.values import Value

ID_AUTH_SIZE = 4096

_ECDSA_P384_SHA384 = 1
"""The one algorithm of keys."""

_BLOCK_SIGNATURE, _ID_KEY, _KEY_SIGNATURE, _AUTHOR_KEY = 0x040, 0x240, 0x680, 0x880
_RESERVED = (range(0x008, 0x040), range(0x644, 0x680), range(0xC84, ID_AUTH_SIZE))


class IdAuth(Value):
    """The keys and signatures of an ID block; whether the signatures are right is not known.

    block_signature: of the 96 bytes of the ID block, by the ID key.
    key_signature: of the 1,028 bytes of the ID key, by the author key. Both are None if there is no author key.

    Raises MalformedInput for one of these two without the other.
    """

    block_signature: EcdsaSignature
    id_key: EcdsaPublicKey
    key_signature: EcdsaSignature | None = None
    author_key: EcdsaPublicKey | None = None

    def __post_init__(self) -> None:
        if (self.key_signature is None) != (self.author_key is None):
            raise MalformedInput("an author key and its signature on the ID key belong together")

    @classmethod
    def parse(cls, raw: bytes) -> IdAuth:
        """Read 4,096 bytes.

        There is no author key if its fields are zero, whatever its algorithm: others write 1 there.
        Raises MalformedInput for another length or algorithm, reserved bytes that are not zero, and invalid fields.
        """
        if len(raw) != ID_AUTH_SIZE:
            raise MalformedInput(f"an ID auth structure has {ID_AUTH_SIZE} bytes, not {len(raw)}")
        id_algorithm, author_algorithm = int.from_bytes(raw[:4], "little"), int.from_bytes(raw[4:8], "little")
        for part in _RESERVED:
            if any(raw[part.start : part.stop]):
                raise MalformedInput(f"an ID auth structure has reserved bytes that are not zero, from {part.start:#x}")
        key_signature = raw[_KEY_SIGNATURE : _KEY_SIGNATURE + SIGNATURE_SIZE]
        author_key = raw[_AUTHOR_KEY : _AUTHOR_KEY + PUBLIC_KEY_SIZE]
        has_author = any(key_signature) or any(author_key)
        _check_algorithm(id_algorithm, "ID key")
        if has_author or author_algorithm:
            _check_algorithm(author_algorithm, "author key")
        return cls(
            EcdsaSignature.parse(raw[_BLOCK_SIGNATURE : _BLOCK_SIGNATURE + SIGNATURE_SIZE], "the ID block's signature"),
            EcdsaPublicKey.parse(raw[_ID_KEY : _ID_KEY + PUBLIC_KEY_SIZE], "the ID key"),
            EcdsaSignature.parse(key_signature, "the ID key's signature") if has_author else None,
            EcdsaPublicKey.parse(author_key, "the author key") if has_author else None,
        )

    def to_bytes(self) -> bytes:
        """The 4,096 bytes; what is reserved or absent is zero. Raises MalformedInput for a number that is too large."""
        raw = bytearray(ID_AUTH_SIZE)
        raw[:4] = _ECDSA_P384_SHA384.to_bytes(4, "little")
        raw[4:8] = (_ECDSA_P384_SHA384 if self.author_key else 0).to_bytes(4, "little")
        parts = {
            _BLOCK_SIGNATURE: self.block_signature,
            _ID_KEY: self.id_key,
            _KEY_SIGNATURE: self.key_signature,
            _AUTHOR_KEY: self.author_key,
        }
        for at, part in parts.items():
            data = part.to_bytes() if part else b""
            raw[at : at + len(data)] = data
        return bytes(raw)


def _check_algorithm(algorithm: int, name: str) -> None:
    if algorithm != _ECDSA_P384_SHA384:
        raise MalformedInput(f"unknown algorithm {algorithm} of the {name}", f"known is {_ECDSA_P384_SHA384}")
