"""What was written of the launch digests of a catalog, with a cluster or without."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.store.manifest import FileEntry, TechnologyEntry


@dataclass(frozen=True, slots=True)
class WrittenDigests:
    """The entries of the digest files for the manifest. reused: rows that were taken from the previous catalog.

    continued: as in BuildResult.
    """

    technologies: dict[str, TechnologyEntry]
    files: dict[str, FileEntry]
    reused: int
    continued: int = 0
