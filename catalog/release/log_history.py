"""History: what a log says, read once and verified against its checkpoint: rows, revocations, the last release.

Of a row it keeps 40 bytes: the hash of its leaf, and while it is live, a number that equal inputs have in common.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import attrgetter

import pyarrow as pa
import pyarrow.compute as pc

from catalog.errors import MalformedRecord, UsageError, VerificationFailed
from catalog.release.records import (
    INPUTS,
    DigestRecord,
    ReleaseRecord,
    RevokeRecord,
    Severity,
    parse_record,
    parse_row,
)
from catalog.release.revocations import Revocations
from catalog.release.row_leaves import Rows
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import WIDTH, Store, TileReader

_HINT = "revoke the wrong one first: ldcat revoke --digest"

_HASH = pa.binary(merkle.HASH_SIZE)

_inputs = attrgetter(*INPUTS)


class History:
    """What a log has, and what its rows are once the revocations that are to come are there.

    said: the revocations it has. selected: of each coming one, how many rows it selects, by their severity before it.
    new_revoked: how many of the new rows are revoked.
    """

    def __init__(self, reader: TileReader, size: int, coming: Sequence[RevokeRecord]) -> None:
        self.said = tuple(read_revokes(reader, size))
        self.release: ReleaseRecord | None = None
        self.selected: list[Counter[Severity | None]] = [Counter() for _ in coming]
        self.new_revoked = 0
        self._coming = coming
        *self._before, self._then = (Revocations((*self.said, *coming[:count])) for count in range(len(coming) + 1))
        self._reader = reader
        self._size = size
        self._hashes = bytearray()
        self._live = array("q")

    def read(self, root: bytes) -> None:
        """Every leaf, as `read_history` says."""
        tree = merkle.CompactRange()
        said = []
        for leaf in self._leaves():
            hashed = merkle.leaf_hash(leaf)
            tree.append(hashed)
            record = parse_record(leaf)
            if isinstance(record, DigestRecord):
                self._hashes += hashed
                self._add(record)
            elif isinstance(record, RevokeRecord):
                said.append(record)
            else:
                _check_follows(record, self.release)
                self.release = record
        if tree.root() != root or tuple(said) != self.said:
            raise VerificationFailed("the entries of the log are not those of its checkpoint")
        if why := self._contradiction(()):
            raise UsageError(why, _HINT) if self._coming else MalformedRecord(why)

    def new_rows(self, rows: Rows) -> Rows:
        """Those that are not there yet, sorted, each once; raises UsageError for one that contradicts a live row."""
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

    def _add(self, row: DigestRecord) -> bool:
        """The next row; whether it is live."""
        for record, before, selected in zip(self._coming, self._before, self.selected, strict=True):
            if record.selects(row):
                selected[before.severity(row)] += 1
        if live := self._is_live(row):
            self._live.append(hash(_inputs(row)))
        return live

    def _is_live(self, row: DigestRecord) -> bool:
        return self._then.severity(row) != "revoked"

    def _contradiction(self, new: Iterable[bytes]) -> str | None:
        """Two live rows with equal inputs and two digests. new: leaves of rows that were added."""
        numbers = _array(self._live, pa.int64())
        if pc.count_distinct(numbers).as_py() == len(numbers):
            return None
        counted = pc.value_counts(numbers)
        twice = set(counted.field("values").filter(pc.greater(counted.field("counts"), 1)).to_pylist())
        known: dict[tuple[object, ...], str] = {}
        for leaf in chain(self._leaves(), new):
            row = parse_record(leaf)
            if isinstance(row, DigestRecord) and hash(inputs := _inputs(row)) in twice and self._is_live(row):
                digest = known.setdefault(inputs, row.launch_digest)
                if digest != row.launch_digest:
                    pairs = zip(INPUTS, inputs, strict=True)
                    named = ", ".join(f"{name} {value}" for name, value in pairs if value is not None)
                    return f"two launch digests, {digest} and {row.launch_digest}, of {named}"
        return None

    def _leaves(self) -> Iterator[bytes]:
        for number in range(-(-self._size // WIDTH)):
            yield from self._reader.entries(number)


def read_history(store: Store, checkpoint: Checkpoint, coming: Sequence[RevokeRecord] = ()) -> History:
    """All leaves of a log, each of them hashed; raises VerificationFailed where they are not the checkpoint's.

    coming: what is to be revoked or restored. Raises MalformedRecord for a log that contradicts itself, UsageError for
    one that would then.
    """
    history = History(TileReader(store, checkpoint.size), checkpoint.size, coming)
    history.read(checkpoint.root)
    return history


def read_revokes(reader: TileReader, size: int) -> list[RevokeRecord]:
    """The revoke records of a log, which stand before those of releases; what the leaves say is not verified here.

    Raises MalformedRecord for a log that does not end with the record of a release.
    """
    found = []
    while size:
        records = (parse_record(reader.entries(index // WIDTH)[index % WIDTH]) for index in range(size - 1, -1, -1))
        release = next(records)
        if not isinstance(release, ReleaseRecord) or not 0 <= release.previous_size < size:
            raise MalformedRecord(f"leaf {size - 1} of the log is not the record of a release")
        for record in records:
            if not isinstance(record, RevokeRecord):
                break
            found.append(record)
        size = release.previous_size
    return found[::-1]


def _check_follows(record: ReleaseRecord, last: ReleaseRecord | None) -> None:
    """Number, time and trust version of releases never go back."""
    if record.release != (last.release + 1 if last else 1):
        raise MalformedRecord(f"release {record.release} follows release {last.release if last else 0}")
    if last and record.time < last.time:
        raise MalformedRecord(f"release {record.release} was made before release {last.release}")
    if last and (record.trust_version or 0) < (last.trust_version or 0):
        raise MalformedRecord(f"the trust version of release {record.release} is behind that of release {last.release}")


def _array(data: bytearray | array[int], kind: pa.DataType) -> pa.Array:
    """What stands in memory, as it stands there."""
    size = memoryview(data).nbytes
    return pa.Array.from_buffers(kind, size * 8 // kind.bit_width, [None, pa.py_buffer(data)])
