"""The catalogs that several sections ask, each built when it is first needed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tools.bench.builds import Build, built, default_build

MOST_ES_ROWS = 10_000_000


@dataclass(frozen=True)
class Catalogs:
    """folder: of everything that is made. rows: about so many in the large catalog."""

    folder: Path
    rows: int

    @cached_property
    def default(self) -> Build:
        """The embedded default."""
        return default_build(self.folder / "default")

    @cached_property
    def sev_es(self) -> Build:
        """Of SEV-ES rows alone."""
        return built(self.folder / "sev-es", min(self.rows, MOST_ES_ROWS), "sev-es")

    @cached_property
    def large(self) -> Build:
        """Of SEV-SNP rows alone."""
        return built(self.folder / "large", self.rows)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder of one section, which is removed after it."""
        with tempfile.TemporaryDirectory(dir=self.folder) as made:
            yield Path(made)
