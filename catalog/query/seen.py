"""What was seen of a log: the newest checkpoint that was verified, and the revocations that its list had."""

from __future__ import annotations

from dataclasses import dataclass, field

from catalog.release.revocation_chain import RevocationChain
from catalog.transparency.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class Seen:
    """revocations: the chain of the list, from which later lists go on; of none where that was not kept."""

    checkpoint: Checkpoint
    revocations: RevocationChain = field(default_factory=RevocationChain)
