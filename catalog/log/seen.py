"""What this machine saw of a log: the newest verified checkpoint, and the revocations in its list."""

from __future__ import annotations

from catalog.errors import VerificationFailed
from catalog.transparency.checkpoint import Checkpoint
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.log.revocation_chain import RevocationChain
    from catalog.log.revocation_list import Revocation
    from catalog.transparency.note import Note


class NotAsSeen(VerificationFailed):
    """A log that is not consistent with a checkpoint of it that was seen before: a fork."""


class Seen(Value):
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


class Kept(Value):
    """What is kept of a log.

    note: the newest checkpoint that was verified, signed.
    revocations: the hash chain over its revoke records, if known.
    from_leaves: whether the chain was computed from all leaves.
    commits: whether the release record commits to its revocations.
    listed: the revocations themselves; None to leave the list that is kept as it is. It is not read with the others.
    """

    note: Note
    revocations: RevocationChain | None = None
    from_leaves: bool = False
    commits: bool = False
    listed: tuple[Revocation, ...] | None = None

    @property
    def seen(self) -> Seen:
        """The checkpoint in the note, which was verified before it was kept, and the revocations."""
        return Seen(Checkpoint.parse(self.note.text), self.revocations, self.from_leaves, self.commits)

    def has(self, new: Kept) -> bool:
        """Whether `new` adds nothing to this."""
        old, seen = self.seen, new.seen
        same = (old.checkpoint, old.revocations, old.commits) == (seen.checkpoint, seen.revocations, seen.commits)
        return same and (old.from_leaves or not seen.from_leaves)
