"""Compares the endorsed digests of two catalogs: which were added or withdrawn, and which the log revokes since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from catalog.diff.row_changes import ADDED, WITHDRAWN
from catalog.log.revocation_list import Revocation
from catalog.log.revocations import Revocations
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.store.catalog import Catalog
from catalog.store.endorsements import read_endorsements


@dataclass(frozen=True, slots=True)
class EndorsementChange:
    """A change of an endorsed digest.

    change: added or withdrawn; or revoked, deprecated or restored, for one that both catalogs have.
    revocation: its status in the new catalog: revoked, deprecated or None.
    """

    change: str
    record: EndorsedRecord
    revocation: str | None

    def summary(self) -> str:
        """One line: the digest, who endorses it, and the claims."""
        by = self.record.endorser
        said = [by.id, *([f"feed {by.feed}"] if by.feed else ()), *([] if by.svn is None else [f"SVN {by.svn}"])]
        claims = [f"{name} {value}" for name, value in self.record.claims.given().items()]
        text = f"{self.record.launch_digest} by {', '.join(said)}" + (f": {', '.join(claims)}" if claims else "")
        return f"{text} ({self.revocation} already)" if self.change == ADDED and self.revocation else text

    def to_dict(self) -> dict[str, Any]:
        """An element of `endorsements` in the JSON of `ldcat diff`."""
        shown: dict[str, Any] = msgspec.to_builtins(self.record)
        del shown["type"]
        return {"change": self.change, **shown, "revocation": self.revocation}


def endorsement_changes(
    old: Catalog, new: Catalog, revocations: tuple[Sequence[Revocation], Sequence[Revocation]]
) -> Iterator[EndorsementChange]:
    """Every change, by kind of change, then by leaf.

    revocations: those of the log at the old and at the new catalog.
    Raises as `read_endorsements`.
    """
    before, after = (read_endorsements(one).records for one in (old, new))
    was, now = map(Revocations, revocations)
    there = set(before)
    for record in after:
        if record not in there:
            yield EndorsementChange(ADDED, record, now.severity(record))
    for record in after:
        if record in there and was.severity(record) != (status := now.severity(record)):
            yield EndorsementChange(status or "restored", record, status)
    gone = there - set(after)
    for record in before:
        if record in gone:
            yield EndorsementChange(WITHDRAWN, record, None)
