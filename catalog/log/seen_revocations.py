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

_FORMAT = re.compile(
    r"ldcat-revocations/(?:1\n|2\n(?P<size>0|[1-9][0-9]{0,18})\n)"
    r"(?P<count>0|[1-9][0-9]{0,9})\n(?P<chain>[0-9a-f]{64})\n(?P<how>leaves|word)\n(?P<what>committed|not)\n"
)
_LIMIT = 1 << 10


@dataclass(frozen=True, slots=True)
class SeenRevocations:
    """A file beside the newest checkpoint that was seen: the chain, whether every leaf was read, and whether the
    release committed to it.
    """

    path: Path

    def read(self) -> tuple[int | None, RevocationChain | None, bool, bool]:
        """Leaves of the checkpoint that it is about, chain, from_leaves and commits as in Seen.

        No chain if none was kept; no leaves in format 1, which did not say them. Raises Unreadable, MalformedInput.
        """
        folder = StateFolder(self.path.parent)
        if not folder.has(self.path.name):
            return None, None, False, False
        text = folder.read(self.path.name, _LIMIT).decode("ascii", "replace")
        if not (found := _FORMAT.fullmatch(text)):
            raise MalformedInput(
                f"{self.path} is not a record of the revocations that were seen",
                "it was damaged; remove it: a revocation that is removed from the log now may go unnoticed",
            )
        size = None if found["size"] is None else int(found["size"])
        chain = RevocationChain(int(found["count"]), found["chain"])
        return size, chain, found["how"] == "leaves", found["what"] == "committed"

    def write(self, size: int, chain: RevocationChain, from_leaves: bool, commits: bool) -> None:
        """size: leaves of the checkpoint whose revocations these are. Raises Unreadable."""
        how = ("leaves" if from_leaves else "word", "committed" if commits else "not")
        text = "\n".join(("ldcat-revocations/2", str(size), str(chain.count), chain.value, *how, ""))
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
