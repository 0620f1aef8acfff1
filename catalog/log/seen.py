"""What this machine saw of a log: the newest verified checkpoint, and the revocations in its list."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.errors import VerificationFailed
from catalog.log.revocation_chain import RevocationChain
from catalog.log.revocation_list import Revocation
from catalog.transparency.checkpoint import Checkpoint


class NotAsSeen(VerificationFailed):
    """A log that is not consistent with a checkpoint of it that was seen before: a fork."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a log.

    checkpoint: the newest one that was verified.
    revocations: the hash chain of its list, which later lists extend; None if it was not kept.
    from_leaves: whether every leaf was read to compute it.
    commits: whether the release committed to its revocations.
    listed: the list itself, or a later one; None if it was not kept, or not read.
    """

    checkpoint: Checkpoint
    revocations: RevocationChain | None = None
    from_leaves: bool = False
    commits: bool = False
    listed: tuple[Revocation, ...] | None = None
