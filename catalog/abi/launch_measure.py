"""LAUNCH_MEASURE: the launch measurement of SEV and SEV-ES, an HMAC over the launch digest under the TIK.

Source: AMD SEV API specification (55766), 6.5.1, LAUNCH_MEASURE.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass

from catalog.abi.digest import SEV_DIGEST_SIZE, LaunchDigest
from catalog.errors import MalformedInput

TIK_SIZE = 16
NONCE_SIZE = 16
MEASUREMENT_SIZE = 32
_CONTEXT = 0x04
_FIELDS = struct.Struct("<BBBBI")


@dataclass(frozen=True, slots=True)
class MeasureContext:
    """What is measured beside the digest.

    api_major, api_minor, build_id: of the SEV firmware, one byte each.
    policy: the guest policy, u32.
    nonce: 16 bytes that the platform chose.
    """

    api_major: int
    api_minor: int
    build_id: int
    policy: int
    nonce: bytes

    def __post_init__(self) -> None:
        if not all(0 <= byte <= 0xFF for byte in (self.api_major, self.api_minor, self.build_id)):
            raise MalformedInput("a number of the SEV API version or build is not between 0 and 255")
        if not 0 <= self.policy <= 0xFFFFFFFF:
            raise MalformedInput(f"{self.policy:#x} is not a 32-bit guest policy")
        if len(self.nonce) != NONCE_SIZE:
            raise MalformedInput(f"a launch measurement has a nonce of {NONCE_SIZE} bytes, not {len(self.nonce)}")

    def before_digest(self) -> bytes:
        """The 8 bytes of the HMAC's message before the digest; the policy is little-endian."""
        return _FIELDS.pack(_CONTEXT, self.api_major, self.api_minor, self.build_id, self.policy)


def check_tik(tik: bytes) -> None:
    """Raises MalformedInput if a TIK does not have 16 bytes; the message does not contain the key."""
    if len(tik) != TIK_SIZE:
        raise MalformedInput(f"a TIK has {TIK_SIZE} bytes, not {len(tik)}")


def launch_measurement(tik: bytes, context: MeasureContext, digest: LaunchDigest) -> bytes:
    """The 32-byte launch measurement of a digest; raises MalformedInput if that is not a SEV or SEV-ES digest."""
    check_tik(tik)
    if len(digest.value) != SEV_DIGEST_SIZE:
        raise MalformedInput("LAUNCH_MEASURE needs a 32-byte digest (SEV or SEV-ES)")
    return hmac.digest(tik, context.before_digest() + digest.value + context.nonce, "sha256")
