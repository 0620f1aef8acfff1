"""Evidence of a fork: two checkpoints that one log signed, kept in a file each that is never overwritten."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from catalog.errors import Unreadable
from catalog.log.log_folder import StateFolder


def keep(files: Mapping[str, bytes], evidence: Path) -> str:
    """Keep files, given by name, in a private folder named by their hash. Returns a text: where, or why not."""
    named = hashlib.sha256(b"".join(files.values())).hexdigest()[:32]
    folder = StateFolder(evidence / named)
    try:
        folder.write([(name, data) for name, data in files.items() if not folder.has(name)])
    except Unreadable as error:
        return f"both notes could not be kept: {error}"
    return f"both notes are kept in {folder.root}"
