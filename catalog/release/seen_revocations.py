"""The revocations that were seen of a log, kept as their hash chain: what a later list has to begin with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import MalformedInput
from catalog.release.log_folder import StateFolder
from catalog.release.revocation_chain import RevocationChain

_FORMAT = re.compile(r"ldcat-revocations/1\n(0|[1-9][0-9]{0,9})\n([0-9a-f]{64})\n")
_LIMIT = 1 << 10


@dataclass(frozen=True, slots=True)
class SeenRevocations:
    """A file beside the newest checkpoint that was seen."""

    path: Path

    def read(self) -> RevocationChain:
        """Of none where nothing was kept yet; raises Unreadable, MalformedInput."""
        folder = StateFolder(self.path.parent)
        if not folder.has(self.path.name):
            return RevocationChain()
        text = folder.read(self.path.name, _LIMIT).decode("ascii", "replace")
        if not (found := _FORMAT.fullmatch(text)):
            raise MalformedInput(
                f"{self.path} does not say which revocations were seen",
                "it was damaged; remove it, and a revocation that is taken back now is not noticed",
            )
        return RevocationChain(int(found[1]), found[2])

    def write(self, chain: RevocationChain) -> None:
        """Raises Unreadable."""
        text = f"ldcat-revocations/1\n{chain.count}\n{chain.value}\n"
        StateFolder(self.path.parent).write([(self.path.name, text.encode("ascii"))])
