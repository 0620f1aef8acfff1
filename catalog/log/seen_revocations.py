"""The revocations that this machine saw in a log: the hash chain that later lists extend, and the list itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import MalformedInput
from catalog.log.kept_chain import MAX_KEPT_CHAIN, KeptChain
from catalog.log.log_folder import StateFolder
from catalog.log.release_rules import revocations_json
from catalog.log.revocation_chain import RevocationChain, chain_revocations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.log.revocation_list import Revocation


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
        found = KeptChain.parse(folder.read(self.path.name, MAX_KEPT_CHAIN))
        if found is None:
            raise MalformedInput(
                f"{self.path} is not a record of the revocations that were seen",
                "it was damaged; remove it: a revocation that is removed from the log now may go unnoticed",
            )
        return found.size, found.chain, found.from_leaves, found.commits

    def write(self, size: int, chain: RevocationChain, from_leaves: bool, commits: bool) -> None:
        """size: leaves of the checkpoint whose revocations these are. Raises Unreadable."""
        data = bytes(KeptChain(size, chain, from_leaves, commits))
        StateFolder(self.path.parent).write([(self.path.name, data)])


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
        from catalog.log.revocation_list import MAX_REVOCATIONS, parse_revocations  # msgspec takes long to load

        if not folder.has(self.path.name):
            return None
        try:
            found = tuple(parse_revocations(folder.read(self.path.name, MAX_REVOCATIONS)))
        except MalformedInput:
            return None
        return found if chain_revocations(found[: chain.count]) == chain else None

    def write(self, listed: Sequence[Revocation]) -> None:
        """Raises Unreadable. A list that is too long to be published is not kept."""
        from catalog.log.revocation_list import MAX_REVOCATIONS

        data = revocations_json([one.record for one in listed])
        if len(data) <= MAX_REVOCATIONS:
            StateFolder(self.path.parent).write([(self.path.name, data)])
