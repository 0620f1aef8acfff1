"""SHA-256 of nodes, keys and records, without loading hashlib for the few of one proof.

hashlib takes 3 ms to load, and is faster from some thousand hashes on: it is used once something else has loaded it.
"""

from __future__ import annotations

import sys

try:
    from _sha2 import sha256 as _light
except ImportError:
    from _sha256 import sha256 as _light  # before Python 3.12

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Hash(Protocol):
        """What hashlib.sha256 returns."""

        def digest(self) -> bytes: ...

        def hexdigest(self) -> str: ...


def sha256(data: bytes) -> Hash:
    """As hashlib.sha256."""
    loaded = sys.modules.get("hashlib")
    found: Hash = _light(data) if loaded is None else loaded.sha256(data)
    return found
