"""History: rows, revocations and the last release of a log, read once and verified against its checkpoint.

It keeps 40 bytes for each row: the hash of its leaf, and, unless it is revoked, a hash of its inputs. Endorsed digests,
which are few, are kept whole.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import attrgetter

import pyarrow as pa
import pyarrow.compute as pc

from catalog.errors import MalformedRecord, UsageError
from catalog.log.leaves.read_leaves import parse_entry
from catalog.log.log_walk import LogWalk
from catalog.log.records import (
    ReleaseRecord,
    RevokeRecord,
    Severity,
    encode_leaf,
    parse_endorsed,
    parse_record,
    parse_row,
)
from catalog.log.revocations import Revocations
from catalog.log.row_leaves import Rows
from catalog.rows.digest_record import INPUTS, DigestRecord
from catalog.rows.endorsed_record import EndorsedRecord, contradictions
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import WIDTH, Store, TileReader

_HINT = "revoke the wrong one first: ldcat revoke --digest"

_HASH = pa.binary(merkle.HASH_SIZE)

_inputs = attrgetter(*INPUTS)


class History:
    """The contents of a log, and the state of its rows after the revocations that are about to be added.

    walk: its releases and revocations.
    selected: for each coming revocation the number of rows and endorsed digests that it selects, by their severity
    before it.
    new_revoked: number of the new rows and endorsed digests that are revoked.
    """

    def __init__(self, walk: LogWalk, revokes: Sequence[RevokeRecord], coming: Sequence[RevokeRecord]) -> None:
        self.walk = walk
        self.selected: list[Counter[Severity | None]] = [Counter() for _ in coming]
        self.new_revoked = 0
        self._coming = coming
        *self._before, self._then = (Revocations((*revokes, *coming[:count])) for count in range(len(coming) + 1))
        self._hashes = bytearray()
        self._live = array("q")
        self._endorsed: set[bytes] = set()
        self._live_endorsed: list[EndorsedRecord] = []
        for leaf in walk.leaves():
            if isinstance(leaf.record, DigestRecord):
                self._hashes += leaf.hashed
                self._add(leaf.record)
            elif isinstance(leaf.record, EndorsedRecord):
                self._endorsed.add(leaf.hashed)
                self._add_endorsed(leaf.record)

    @property
    def revokes(self) -> tuple[RevokeRecord, ...]:
        """The revocations in the log, in its order."""
        return tuple(self.walk.revokes)

    @property
    def release(self) -> ReleaseRecord | None:
        """The last release record; None for an empty log."""
        return self.walk.releases[-1].record if self.walk.releases else None

    def check(self) -> None:
        """Raises MalformedRecord if the log contradicts itself, UsageError if it would with the coming revocations."""
        if why := self._contradiction(()) or self._endorsed_contradiction():
            raise UsageError(why, _HINT) if self._coming else MalformedRecord(why)

    def new_rows(self, rows: Rows) -> Rows:
        """The rows that the log lacks, sorted, without duplicates. Raises UsageError if one contradicts a live row."""
        if self._hashes:
            hashes = bytearray()
            for leaf in rows.leaves():
                hashes += merkle.leaf_hash(leaf)
            known = pc.is_in(_array(hashes, _HASH), value_set=_array(self._hashes, _HASH))
            rows = rows.filter(pc.invert(known))
        rows = rows.sorted()
        for leaf in rows.leaves():
            self.new_revoked += not self._add(parse_row(leaf))
        if why := self._contradiction(rows.leaves()):
            raise UsageError(why, _HINT)
        return rows

    def new_endorsed(self, records: Iterable[EndorsedRecord]) -> list[EndorsedRecord]:
        """The endorsed digests that the log lacks, in the order of their leaves.

        Raises UsageError if one contradicts a live one of the same endorser.
        """
        leaves = sorted({encode_leaf(record) for record in records})
        found = [parse_endorsed(leaf) for leaf in leaves if merkle.leaf_hash(leaf) not in self._endorsed]
        for record in found:
            self.new_revoked += not self._add_endorsed(record)
        if why := self._endorsed_contradiction():
            raise UsageError(why, _HINT)
        return found

    def _add(self, row: DigestRecord) -> bool:
        """Count the next row; True if it is live, i.e. not revoked."""
        if live := self._count(row):
            self._live.append(hash(_inputs(row)))
        return live

    def _add_endorsed(self, record: EndorsedRecord) -> bool:
        """As `_add`, for an endorsed digest."""
        if live := self._count(record):
            self._live_endorsed.append(record)
        return live

    def _count(self, record: DigestRecord | EndorsedRecord) -> bool:
        for coming, before, selected in zip(self._coming, self._before, self.selected, strict=True):
            if coming.selects(record):
                selected[before.severity(record)] += 1
        return self._is_live(record)

    def _is_live(self, record: DigestRecord | EndorsedRecord) -> bool:
        return self._then.severity(record) != "revoked"

    def _endorsed_contradiction(self) -> str | None:
        """Describe two live endorsed digests of one endorser that contradict each other, if any."""
        for one, _, name in contradictions(self._live_endorsed):
            return f"two records of {one.endorser_id} about {one.launch_digest} contradict each other in {name}"
        return None

    def _contradiction(self, new: Iterable[bytes]) -> str | None:
        """Describe two live rows with equal inputs and different digests, if any. new: leaves of the added rows."""
        numbers = _array(self._live, pa.int64())
        if pc.count_distinct(numbers).as_py() == len(numbers):
            return None
        counted = pc.value_counts(numbers)
        twice = set(counted.field("values").filter(pc.greater(counted.field("counts"), 1)).to_pylist())
        known: dict[tuple[object, ...], str] = {}
        for row in chain((leaf.record for leaf in self.walk.again().leaves()), map(parse_record, new)):
            if isinstance(row, DigestRecord) and hash(inputs := _inputs(row)) in twice and self._is_live(row):
                digest = known.setdefault(inputs, row.launch_digest)
                if digest != row.launch_digest:
                    pairs = zip(INPUTS, inputs, strict=True)
                    named = ", ".join(f"{name} {value}" for name, value in pairs if value is not None)
                    return f"two launch digests, {digest} and {row.launch_digest}, of {named}"
        return None


def read_history(store: Store, checkpoint: Checkpoint, coming: Sequence[RevokeRecord] = (), *, now: int) -> History:
    """Read and hash all leaves of a log. Raises VerificationFailed if they are not those of the checkpoint.

    False statements of release records are listed in `walk.releases` and stop nothing: otherwise one false record
    would end the log. coming: revoke records that are about to be added. now: seconds since 1970.
    Raises as LogWalk.
    """
    revokes: Sequence[RevokeRecord] = revokes_by_records(store, checkpoint.size)
    history = History(LogWalk(store, checkpoint, now), revokes, coming)
    if history.revokes != tuple(revokes):
        history = History(LogWalk(store, checkpoint, now), history.revokes, coming)
    return history


def revokes_by_records(store: Store, size: int) -> list[RevokeRecord]:
    """The revoke records right before each release record, found by previous_size: all of them, if it is true."""
    reader, found = TileReader(store, size), []
    while size:
        indexes = range(size - 1, -1, -1)
        records = (parse_entry(reader, index, reader.entries(index // WIDTH)[index % WIDTH]) for index in indexes)
        release = next(records)
        if not isinstance(release, ReleaseRecord) or not 0 <= release.previous_size < size:
            break
        for record in records:
            if not isinstance(record, RevokeRecord):
                break
            found.append(record)
        size = release.previous_size
    return found[::-1]


def _array(data: bytearray | array[int], kind: pa.DataType) -> pa.Array:
    """An Arrow array over this memory, without a copy."""
    size = memoryview(data).nbytes
    return pa.Array.from_buffers(kind, size * 8 // kind.bit_width, [None, pa.py_buffer(data)])
