"""A proof at an older checkpoint than the newest one that this machine saw of its log, if the user accepts it.

It was true when it was made, and is still fresh. What may have changed since then are revocations: those that this
machine saw later are applied.
"""

from __future__ import annotations

from catalog.errors import FalseRecord, OlderThanSeen
from catalog.log.revocation_chain import chain_revocations
from catalog.notes import Note
from catalog.transparency.durations import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.log.revocation_list import Revocation
    from catalog.log.seen import Seen
    from catalog.transparency.checkpoint import Checkpoint


def newest_known(listed: tuple[Revocation, ...], seen: Seen) -> tuple[Revocation, ...]:
    """The newest list of revocations that is known: the one that was seen, or the one of the older checkpoint.

    listed: the list at the older checkpoint. Raises FalseRecord unless what was seen later begins with it.
    """
    if seen.listed is not None:
        if chain_revocations(seen.listed[: len(listed)]) != chain_revocations(listed):
            raise FalseRecord("a later list of revocations was seen, and does not begin with this one", _FORKED)
        return seen.listed
    later = seen.revocations
    if later and (later.count < len(listed) or (later.count == len(listed) and chain_revocations(listed) != later)):
        raise FalseRecord(f"{later.count} revocations were seen later, and they are not those of this proof", _FORKED)
    return listed


_FORKED = "the log was forked, or its publisher removed a revocation: rely on nothing in it"


def accepted(
    checkpoint: Checkpoint, listed: tuple[Revocation, ...], seen: Seen, *, age: int, at_most: int
) -> tuple[Note, ...]:
    """Notes on an older checkpoint that is accepted.

    listed: as `newest_known` returned it. age: seconds since it was last confirmed: cosigned by the quorum, or released
    if there is none. at_most: the age that the user accepts. Raises OlderThanSeen if it is older, and if revocations
    were seen since whose list was not kept: one of them may be why this proof is given.
    """
    size, age = seen.checkpoint.size, max(0, age)
    if seen.revocations is not None and len(listed) < seen.revocations.count:
        more = seen.revocations.count - len(listed)
        raise OlderThanSeen(
            f"{more} revocation{'' if more == 1 else 's'} of this log {'was' if more == 1 else 'were'} seen since, "
            "and the list is not on this machine",
            "get a newer proof: it has the list",
        )
    if age > at_most:
        raise OlderThanSeen(
            f"a checkpoint of {size} leaves was seen before, and this one was last confirmed {span(age)} ago",
            f"get a newer proof: this command accepts those of the last {span(at_most)}",
        )
    text = f"this proof is older than what was seen of the log: {checkpoint.size} of {size} leaves"
    notes = [Note("older-proof-accepted", f"{text}, last confirmed {span(age)} ago")]
    if seen.revocations is None:
        unknown = "the revocations since then are not known on this machine: one of them may revoke the row"
        notes.append(Note("later-revocations-unknown", unknown))
    return tuple(notes)
