"""LaunchDigest: the value of GCTX.LD after the last launch update."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from catalog.errors import MalformedInput

SEV_DIGEST_SIZE = 32
"""Bytes of a SEV or SEV-ES launch digest (SHA-256)."""

SNP_DIGEST_SIZE = 48
"""Bytes of a SEV-SNP launch digest (SHA-384)."""

_HEX = re.compile(r"(?:0[xX])?([0-9a-fA-F]+)")
_SIZES = (SEV_DIGEST_SIZE, SNP_DIGEST_SIZE)


@dataclass(frozen=True, slots=True, order=True)
class LaunchDigest:
    """A launch digest: 32 bytes (SEV, SEV-ES: SHA-256) or 48 bytes (SEV-SNP: SHA-384).

    Source: AMD SEV API, LAUNCH_MEASURE (GCTX.LD); SEV-SNP ABI 8.17, SNP_LAUNCH_UPDATE.
    """

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) not in _SIZES:
            raise MalformedInput(
                f"a launch digest is 32 or 48 bytes, not {len(self.value)}",
                "SEV and SEV-ES digests are 64 hex digits, SEV-SNP digests are 96",
            )

    @classmethod
    def parse(cls, text: str) -> LaunchDigest:
        """Read hex, 0x-hex or canonical base64; surrounding whitespace is ignored.

        Raises MalformedInput for anything else.
        """
        text = text.strip()
        if match := _HEX.fullmatch(text):  # hex of a wrong length may be base64, too, but is a mistake
            digits = match.group(1)
            value = bytes.fromhex(digits) if len(digits) % 2 == 0 else b""
        else:
            value = _canonical_base64(text)
        if len(value) in _SIZES:
            return cls(value)
        shown = text if len(text) <= 24 else f"{text[:21]}..."
        raise MalformedInput(
            f"{shown!r} is not a launch digest",
            "give 64 (SEV, SEV-ES) or 96 (SEV-SNP) hex digits, or base64 of 32 or 48 bytes",
        )

    def hex(self) -> str:
        """Lower-case hex, as ldcat writes every digest."""
        return self.value.hex()


def _canonical_base64(text: str) -> bytes:
    """The decoded bytes; empty if the text is not base64 as an encoder writes it."""
    try:
        value = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return b""
    return value if base64.b64encode(value).decode("ascii") == text else b""
