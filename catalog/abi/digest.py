"""LaunchDigest: what the secure processor or module measured of a launch: GCTX.LD of AMD, MRTD of Intel."""

from __future__ import annotations

import binascii

from catalog.errors import MalformedInput
from catalog.values import Value

SEV_DIGEST_SIZE = 32
"""Bytes of a SEV or SEV-ES launch digest (SHA-256)."""

SNP_DIGEST_SIZE = 48
"""Bytes of a SEV-SNP launch digest (SHA-384)."""

TDX_DIGEST_SIZE = 48
"""Bytes of an MRTD (SHA-384)."""

_HEX = frozenset("0123456789abcdefABCDEF")
_SIZES = (SEV_DIGEST_SIZE, SNP_DIGEST_SIZE)


class LaunchDigest(Value):
    """A launch digest: 32 bytes (SEV, SEV-ES: SHA-256) or 48 bytes (SEV-SNP, TDX: SHA-384).

    Source: AMD SEV API, LAUNCH_MEASURE (GCTX.LD); SEV-SNP ABI 8.17, SNP_LAUNCH_UPDATE; Intel TDX module, MRTD.
    """

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) not in _SIZES:
            raise MalformedInput(
                f"a launch digest is 32 or 48 bytes, not {len(self.value)}",
                "SEV and SEV-ES digests are 64 hex digits, SEV-SNP and TDX digests are 96",
            )

    @classmethod
    def parse(cls, text: str) -> LaunchDigest:
        """Read hex, 0x-hex or canonical base64; surrounding whitespace is ignored.

        Raises MalformedInput for anything else.
        """
        text = text.strip()
        digits = text[2:] if text[:2] in ("0x", "0X") else text
        if digits and _HEX.issuperset(digits):  # hex of a wrong length may be base64, too, but is a mistake
            value = bytes.fromhex(digits) if len(digits) % 2 == 0 else b""
        else:
            value = _canonical_base64(text)
        if len(value) in _SIZES:
            return cls(value)
        shown = text if len(text) <= 24 else f"{text[:21]}..."
        raise MalformedInput(
            f"{shown!r} is not a launch digest",
            "give 64 (SEV, SEV-ES) or 96 (SEV-SNP, TDX) hex digits, or base64 of 32 or 48 bytes",
        )

    def hex(self) -> str:
        """Lower-case hex, as ldcat writes every digest."""
        return self.value.hex()

    def __lt__(self, other: LaunchDigest) -> bool:
        return self.value < other.value


def _canonical_base64(text: str) -> bytes:
    """The decoded bytes; empty if the text is not base64 as an encoder writes it."""
    try:
        value = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error):
        return b""
    return value if binascii.b2a_base64(value, newline=False).decode("ascii") == text else b""
