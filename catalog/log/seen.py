"""What was seen of a log: the newest checkpoint that was verified, and the revocations that its list had."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.log.revocation_chain import RevocationChain
from catalog.transparency.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class Seen:
    """revocations: the chain of the list, from which later lists go on; None where that was not kept.

    from_leaves: whether every leaf was read for that. commits: whether the release committed to its revocations.
    """

    checkpoint: Checkpoint
    revocations: RevocationChain | None = None
    from_leaves: bool = False
    commits: bool = False
