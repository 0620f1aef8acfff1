"""Resumable SHA-256: a midstate that can be published, stored and continued."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from catalog.abi.sha256_compression import BLOCK_SIZE, INITIAL_MIDSTATE, compress
from catalog.errors import MalformedInput


@dataclass(frozen=True, slots=True)
class Sha256State:
    """A SHA-256 in progress.

    midstate: 32 bytes, eight big-endian words.
    carried: the 0 to 63 bytes after the last whole block.
    length: bytes hashed so far, including the carried ones.
    """

    midstate: bytes = INITIAL_MIDSTATE
    carried: bytes = b""
    length: int = 0

    def __post_init__(self) -> None:
        if len(self.midstate) != 32 or self.length < 0 or len(self.carried) != self.length % BLOCK_SIZE:
            raise MalformedInput("not a SHA-256 state: midstate, carried bytes and length disagree")

    def update(self, data: bytes) -> Sha256State:
        """The state after more data."""
        pending = self.carried + data
        whole = len(pending) - len(pending) % BLOCK_SIZE
        midstate = compress(self.midstate, pending[:whole]) if whole else self.midstate
        return Sha256State(midstate, pending[whole:], self.length + len(data))

    def digest(self) -> bytes:
        """The 32-byte hash of everything so far; the state does not change."""
        zeros = bytes((55 - self.length) % BLOCK_SIZE)
        padding = b"\x80" + zeros + struct.pack(">Q", 8 * self.length)
        return compress(self.midstate, self.carried + padding)
