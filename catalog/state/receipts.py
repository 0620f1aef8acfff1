"""Receipts: the catalogs that this machine built, or checked, by the SHA-256 of their manifest.

A catalog comes with its manifest, so one that was fetched, or changed on disk together with the manifest, still agrees
with it. Rows are reused, and the check of an index is skipped, only if the manifest is known from outside the
catalog's folder.
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
    """A folder with an empty file for each manifest. folder: None if nothing is known and nothing can be kept."""

    folder: Path | None

    def know(self, manifest_sha256: str) -> bool:
        """Whether there is a receipt for a manifest; manifest_sha256: in hex.

        Raises Unreadable if it cannot be read, or if others could have written it.
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
        """Write a receipt. If that fails, the work is done again the next time."""
        if self.folder is not None:
            with (
                suppress(OSError),
                opened(self.folder.parent, self.folder.name, private=True) as folder,
                placed(folder, manifest_sha256, private=True),
            ):
                pass
