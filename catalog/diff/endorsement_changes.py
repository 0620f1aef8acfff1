"""Compares the endorsed digests of two catalogs: which were added or withdrawn, and which the log revokes since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec

from catalog.diff.row_changes import ADDED, REVOCATIONS, WITHDRAWN
from catalog.log.records import encode_leaf
from catalog.log.revocation_list import Revocation
from catalog.log.revocations import Revocations
from catalog.relate.related_chains import count_vcpus, short
from catalog.rows.endorsed_record import REPORTED, EndorsedRecord
from catalog.rows.numbers import as_ranges
from catalog.store.catalog import Catalog
from catalog.store.endorsements import read_endorsements, short_name

_KINDS = (ADDED, *REVOCATIONS, WITHDRAWN)


@dataclass(frozen=True, slots=True)
class EndorsementChange:
    """A change of an endorsed digest.

    change: added or withdrawn; or revoked, deprecated or restored, for one that both catalogs have.
    revocation: its status in the new catalog: revoked, deprecated or None.
    """

    change: str
    record: EndorsedRecord
    revocation: str | None

    @property
    def vcpus(self) -> int | None:
        """What the endorser claims; None if it does not."""
        count: int | None = self.record.claims.given().get("vcpus")
        return count

    @property
    def series(self) -> tuple[object, ...]:
        """What the text groups by: the kind of change, who endorses it, and the SVN."""
        svn = self.record.endorser.svn
        kind = (_KINDS.index(self.change), self.revocation or "")
        return (*kind, self.record.endorser_scheme, short_name(self.record), -1 if svn is None else svn)

    @property
    def order(self) -> tuple[object, ...]:
        """Series by series, then by vCPUs."""
        return (*self.series, self.vcpus or 0, encode_leaf(self.record))

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


@dataclass(frozen=True, slots=True)
class EndorsementGroup:
    """Digests of one endorser or feed, and one SVN, that changed in the same way."""

    change: str
    members: tuple[EndorsementChange, ...]

    def summary(self) -> str:
        """One line: endorsed or reported, the feed or a short name of the endorser, SVN, digests and vCPUs."""
        first, count = self.members[0], len(self.members)
        svn = first.record.endorser.svn
        who = short_name(first.record) + ("" if svn is None else f", SVN {svn}")
        digest = short(bytes.fromhex(first.record.launch_digest))
        parts = [f"{count:,} digests" if count > 1 else digest]
        if vcpus := sorted({one.vcpus for one in self.members if one.vcpus}):
            parts.append(count_vcpus(1) if vcpus == [1] else f"{as_ranges(vcpus)} vCPUs")
        if self.change in REVOCATIONS:
            parts.append(self.change)
        elif first.revocation:
            parts.append(f"{first.revocation} already")
        word = "reported" if first.record.endorser_scheme == REPORTED else "endorsed"
        return f"{word} {who}: {', '.join(parts)}"


def grouped(changes: Iterable[EndorsementChange]) -> Iterator[EndorsementGroup]:
    """The changes of `endorsement_changes`, in their order."""
    for _, members in groupby(changes, lambda one: one.series):
        some = tuple(members)
        yield EndorsementGroup(some[0].change, some)


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
