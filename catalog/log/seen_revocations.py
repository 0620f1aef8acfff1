"""The revocations that this machine saw in a log: the hash chain that later lists extend, and the list itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import MalformedInput
from catalog.log.log_folder import StateFolder
from catalog.log.release_rules import revocations_json
from catalog.log.revocation_chain import RevocationChain
from catalog.log.revocation_list import MAX_REVOCATIONS, Revocation, chain_revocations, parse_revocations

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


@dataclass(frozen=True, slots=True)
class SeenList:
    """A file beside it: the list itself, as it was published, with which an older proof is judged."""

    path: Path

    def read(self, chain: RevocationChain) -> tuple[Revocation, ...] | None:
        """The list whose first revocations have this chain; None if it was not kept, or if others are there.

        The chain decides: the list is written before it, so it may be a later one. Raises Unreadable.
        """
        folder = StateFolder(self.path.parent)
        if not chain.count:
            return ()
        if not folder.has(self.path.name):
            return None
        try:
            found = tuple(parse_revocations(folder.read(self.path.name, MAX_REVOCATIONS)))
        except MalformedInput:
            return None
        return found if chain_revocations(found[: chain.count]) == chain else None

    def write(self, listed: Sequence[Revocation]) -> None:
        """Raises Unreadable. A list that is too long to be published is not kept."""
        data = revocations_json([one.record for one in listed])
        if len(data) <= MAX_REVOCATIONS:
            StateFolder(self.path.parent).write([(self.path.name, data)])
