"""Receipts: the catalogs that this machine built, or checked, by the SHA-256 of their manifest.

A catalog's manifest is made by whoever made the catalog. One that was fetched, or changed on disk, agrees with its
manifest all the same; so rows are reused, and an index is not checked again, only where the manifest itself is known
from outside the catalog's folder.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from catalog.fast.beneath import open_file
from catalog.files.inputs import unreadable
from catalog.files.writer import opened, placed


@dataclass(frozen=True, slots=True)
class Receipts:
    """A folder with an empty file for each manifest; None: nothing is known, and nothing is kept."""

    folder: Path | None

    def know(self, manifest_sha256: str) -> bool:
        """Whether that was done here with a catalog of this manifest; its hash in hex.

        Raises Unreadable for others' word.
        """
        if self.folder is None:
            return False
        try:
            os.close(open_file(self.folder.parent, f"{self.folder.name}/{manifest_sha256}", private=True))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise unreadable(self.folder, error) from error
        return True

    def keep(self, manifest_sha256: str) -> None:
        """Remember a catalog; where that cannot be written, the work is done again the next time."""
        if self.folder is not None:
            with (
                suppress(OSError),
                opened(self.folder.parent, self.folder.name, private=True) as folder,
                placed(folder, manifest_sha256, private=True),
            ):
                pass
