"""The hash chain of the revocations that this machine saw in a log; a later list has to begin with them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import MalformedInput
from catalog.log.log_folder import StateFolder
from catalog.log.revocation_chain import RevocationChain

_FORMAT = re.compile(r"ldcat-revocations/1\n(0|[1-9][0-9]{0,9})\n([0-9a-f]{64})\n(leaves|word)\n(committed|not)\n")
_LIMIT = 1 << 10


@dataclass(frozen=True, slots=True)
class SeenRevocations:
    """A file beside the newest checkpoint that was seen: the chain, whether every leaf was read, and whether the
    release committed to it.
    """

    path: Path

    def read(self) -> tuple[RevocationChain | None, bool, bool]:
        """Chain, from_leaves and commits as in Seen; no chain if none was kept. Raises Unreadable, MalformedInput."""
        folder = StateFolder(self.path.parent)
        if not folder.has(self.path.name):
            return None, False, False
        text = folder.read(self.path.name, _LIMIT).decode("ascii", "replace")
        if not (found := _FORMAT.fullmatch(text)):
            raise MalformedInput(
                f"{self.path} is not a record of the revocations that were seen",
                "it was damaged; remove it: a revocation that is removed from the log now may go unnoticed",
            )
        return RevocationChain(int(found[1]), found[2]), found[3] == "leaves", found[4] == "committed"

    def write(self, chain: RevocationChain, from_leaves: bool, commits: bool) -> None:
        """Raises Unreadable."""
        how = ("leaves" if from_leaves else "word", "committed" if commits else "not")
        text = "\n".join(("ldcat-revocations/1", str(chain.count), chain.value, *how, ""))
        StateFolder(self.path.parent).write([(self.path.name, text.encode("ascii"))])
