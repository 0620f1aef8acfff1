"""Signed notes (C2SP signed-note): a text, a blank line, and signature lines. The text is untrusted until verified."""

from __future__ import annotations

from catalog.errors import MalformedInput, UntrustedSigner, VerificationFailed
from catalog.transparency.encoding import from_base64, is_name, to_base64
from catalog.transparency.keys import KEY_ID_SIZE, VerifierKey
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_NOTE = 1 << 20
"""Bytes: the largest note that is read."""

MAX_SIGNATURES = 128
"""Signatures of one note. C2SP requires at least 16; a trust policy may have 32 witnesses with two algorithms each."""

_DASH = "\N{EM DASH} "
_CONTROLS = bytes({*range(32)} - {*b"\n"})  # in UTF-8 these bytes are nothing else


class Unsigned(MalformedInput):
    """A text without signature lines."""


class Signature(Value):
    """A signature line of a note.

    name: of the key.
    key_id: 4 bytes.
    value: the signature itself, without the key ID.
    """

    name: str
    key_id: bytes
    value: bytes

    @classmethod
    def parse(cls, line: str) -> Signature:
        """Parse a line, given without its newline. Raises MalformedInput."""
        name, space, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not space or not is_name(name):
            raise MalformedInput("a signature line of the note is not a dash, a key name and base64")
        value = from_base64(encoded, f"the signature of {name}")
        if len(value) <= KEY_ID_SIZE:
            raise MalformedInput(f"the signature of {name} is too short")
        return cls(name, value[:KEY_ID_SIZE], value[KEY_ID_SIZE:])

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.value)}"


class Verified(Value):
    """A key whose signature was verified.

    timestamp: of a cosignature, in seconds since 1970, 0 if it states no time; None for a plain signature.
    """

    key: VerifierKey
    timestamp: int | None


class Note(Value):
    """A signed note.

    text: with its last newline. Untrusted until `verify` returns who signed it.
    signatures: its signature lines, in their order.
    """

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Parse a signed note. Raises MalformedInput for any deviation from the format."""
        if len(data) > MAX_NOTE:
            raise MalformedInput(f"the note has more than {MAX_NOTE} bytes")
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedInput("the note is not UTF-8") from error
        if data.translate(None, _CONTROLS) != data:
            raise MalformedInput("the note contains control characters")
        text, blank, below = whole.rpartition("\n\n")
        if not blank or not any(line.startswith(_DASH) for line in below.split("\n")):
            raise Unsigned("the note has no signatures")
        if not below.endswith("\n"):
            raise MalformedInput("the last line of the note has no newline")
        lines = below[:-1].split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise MalformedInput(f"the note has more than {MAX_SIGNATURES} signatures")
        return cls(text + "\n", tuple(Signature.parse(line) for line in lines))

    def __bytes__(self) -> bytes:
        return "\n".join((self.text, *map(str, self.signatures), "")).encode()

    def with_signatures(self, more: Iterable[Signature]) -> Note:
        """The note with more signatures. A signature replaces an earlier one of the same key."""
        found = {(signature.name, signature.key_id): signature for signature in (*self.signatures, *more)}
        return Note(self.text, tuple(found.values()))

    def verify(self, keys: Sequence[VerifierKey]) -> list[Verified]:
        """Return which of the keys signed. Signatures of unknown keys are ignored, as C2SP requires.

        Raises VerificationFailed if a signature of one of the keys is wrong, or if one key signed twice;
        UntrustedSigner if none of them signed.
        """
        known = {(key.name, key.key_id): key for key in keys}
        if len(known) < len(set(keys)):
            raise VerificationFailed("two of the keys have one name and one id")
        found: dict[VerifierKey, Verified] = {}
        for signature in self.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is None:
                continue
            if key in found:
                raise VerificationFailed(f"{key.name} signed the note twice with one key")
            found[key] = Verified(key, key.verify(self.text, signature.value))
        if not found:
            names = ", ".join(dict.fromkeys(key.name for key in keys))
            raise UntrustedSigner(f"not signed by any trusted key of {names or 'an empty list'}")
        return list(found.values())
