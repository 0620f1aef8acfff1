"""Receipts: the catalogs that this machine built, by the SHA-256 of their manifest; only those are built on.

A catalog's manifest is made by whoever made the catalog. One that was fetched, or changed on disk, agrees with its
manifest all the same; so rows are reused only where the manifest itself is known from outside the catalog's folder.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Receipts:
    """A folder with an empty file for each manifest; None: nothing is known, and nothing is kept."""

    folder: Path | None

    def know(self, manifest: bytes) -> bool:
        """Whether a catalog with this manifest was built here."""
        return self.folder is not None and (self.folder / _name(manifest)).is_file()

    def keep(self, manifest: bytes) -> None:
        """Remember a catalog that was built; where that cannot be written, the next build hashes everything."""
        if self.folder is not None:
            with suppress(OSError):
                self.folder.mkdir(parents=True, exist_ok=True)
                (self.folder / _name(manifest)).touch()


def _name(manifest: bytes) -> str:
    return hashlib.sha256(manifest).hexdigest()
