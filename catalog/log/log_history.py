"""History: rows, revocations and the last release of a log, read once and verified against its checkpoint.

Of its rows it keeps in memory what many of them have in common, and about a bit for each: which vCPU counts the live
ones of each group have. Rows that a catalog is compared with are on disk. Endorsed digests, which are few, are kept
whole.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from msgspec.structs import replace

from catalog.abi.digest import SEV_DIGEST_SIZE
from catalog.errors import MalformedRecord, UsageError
from catalog.log.leaves.kept_rows import KeptRows
from catalog.log.leaves.leaf_block import LeafBlock
from catalog.log.leaves.leaf_groups import LeafGroups
from catalog.log.leaves.live_slots import LiveSlots
from catalog.log.leaves.merged_rows import MergedRows
from catalog.log.leaves.packed_blocks import BlockPacker
from catalog.log.leaves.packed_rows import ROW, Rows, groups_of, pack_rows, row_bits, unpack_rows
from catalog.log.leaves.read_leaves import parse_entry
from catalog.log.leaves.row_products import RowProducts
from catalog.log.leaves.row_text import NONE, take_apart
from catalog.log.log_walk import LogWalk
from catalog.log.records import ReleaseRecord, RevokeRecord, Severity, encode_leaf, parse_endorsed, parse_row
from catalog.log.row_leaves import RowPacker
from catalog.log.row_states import RowStates
from catalog.rows.digest_record import INPUTS, DigestRecord
from catalog.rows.endorsed_record import EndorsedRecord, contradictions
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import WIDTH, Store, TileReader

_HINT = "revoke the wrong one first: ldcat revoke --digest"

_AT_ONCE = 1 << 14
"""Rows: how many are read again at a time."""

_inputs = attrgetter(*INPUTS)


class _Slot(NamedTuple):
    """The inputs of a row: the number of its group, and its slot."""

    group: int
    slot: int


_Key = _Slot | tuple[object, ...]
"""Equal for rows with equal inputs: a slot; or the inputs themselves, if their vCPU count fits in none."""


class History:
    """The contents of a log, and the state of its rows after the revocations that are about to be added.

    walk: its releases and revocations.
    groups: those of its rows, and of the rows that are compared with them.
    products: of its rows; None unless it is audited.
    new_revoked: number of the new rows and endorsed digests that are revoked.
    """

    def __init__(
        self,
        walk: LogWalk,
        revokes: Sequence[RevokeRecord],
        coming: Sequence[RevokeRecord],
        folder: Path | None,
        *,
        audited: bool,
    ) -> None:
        self.walk = walk
        self.groups = LeafGroups()
        self.new_revoked = 0
        self._coming = coming
        self._folder = folder
        self._states = RowStates(revokes, coming)
        self.products = RowProducts() if audited else None
        self._rows = MergedRows(self.groups, folder) if folder else None
        self._slots, self._twice = LiveSlots(), set[_Key]()
        self._unusual = set[tuple[object, ...]]()
        self._endorsed: set[bytes] = set()
        self._live_endorsed: list[EndorsedRecord] = []
        self._packer = BlockPacker(self.groups)
        for part in walk:
            if isinstance(part, LeafBlock):
                self._add_block(part)
            elif isinstance(part.record, DigestRecord):
                self._add_unusual(part.record)
            elif isinstance(part.record, EndorsedRecord):
                self._endorsed.add(part.hashed)
                self._add_endorsed(part.record)

    @property
    def revokes(self) -> tuple[RevokeRecord, ...]:
        """The revocations in the log, in its order."""
        return tuple(self.walk.revokes)

    @property
    def release(self) -> ReleaseRecord | None:
        """The last release record; None for an empty log."""
        return self.walk.releases[-1].record if self.walk.releases else None

    @property
    def selected(self) -> list[Counter[Severity | None]]:
        """For each coming revocation the number of rows and endorsed digests that it selects: see RowStates."""
        return self._states.selected

    def check(self) -> None:
        """Raises MalformedRecord if the log contradicts itself, UsageError if it would with the coming revocations."""
        if why := self._contradiction(()) or self._endorsed_contradiction():
            raise UsageError(why, _HINT) if self._coming else MalformedRecord(why)

    def new_rows(self, tables: Iterable[pa.Table]) -> KeptRows:
        """The rows that the log lacks, sorted, without duplicates. tables: with the columns of row_leaves.COLUMNS.

        It can be called once, with a folder. Raises UsageError if one contradicts a live row, Unreadable.
        """
        assert self._rows is not None and self._folder is not None, "there is a folder"  # noqa: PT018, S101
        for packed in RowPacker(self.groups).pack(tables):
            self._rows.add(packed)
        found, revoked, read = KeptRows(self._folder), self._states.revoked, set[int]()
        for rows in self._rows.unknown():
            found.add(rows)
            record = partial(self._record, rows)
            if len(read) < len(self.groups):  # a leaf that nobody can read would end the log
                groups = groups_of(rows)
                for group in set(groups) - read:
                    record(groups.index(group))
                    read.add(group)
            self._add(rows, record)
        self.new_revoked += self._states.revoked - revoked
        if why := self._contradiction(found.parts(_AT_ONCE)):
            raise UsageError(why, _HINT)
        return found

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

    def _add_block(self, block: LeafBlock) -> None:
        rows = self._packer.pack(block)
        self._add(rows, block.record)
        if self._rows:
            self._rows.add(rows)
        if self.products:
            self.products.add(rows, len(self.groups))

    def _add(self, rows: Rows, record: Callable[[int], DigestRecord]) -> None:
        """Count rows. record: the record of a row, by its number among these."""
        odd, live = self._states.count_rows(rows, record)
        self._mark(rows, odd, self._states.dead)
        if live:
            self._mark(b"".join(bytes(rows[ROW * at : ROW * (at + 1)]) for at in live), array("I"))

    def _mark(self, rows: Rows, left_out: array[int], dead: bytearray | None = None) -> None:
        """Add the slots of live rows, and find those with equal inputs. left_out, dead: as LiveSlots.add takes them."""
        for at in self._slots.add(rows, bytearray() if dead is None else dead, left_out):
            (row,) = unpack_rows(rows[ROW * at : ROW * (at + 1)])
            self._twice.add(_Slot(row.group, row.slot))

    def _add_unusual(self, record: DigestRecord) -> None:
        """Count a row that no block has, and that equals no row of a catalog."""
        if not self._states.count(record):
            return
        key = self._key(record)
        if isinstance(key, _Slot):
            digest, vcpus = bytes(SEV_DIGEST_SIZE), array("i", [key.slot + NONE])
            bits = array("I", [row_bits(SEV_DIGEST_SIZE, known=True)])
            self._mark(pack_rows(digest, vcpus, array("I", [0]), array("I", [key.group]), bits), array("I"))
        elif key in self._unusual:
            self._twice.add(key)
        else:
            self._unusual.add(key)

    def _add_endorsed(self, record: EndorsedRecord) -> bool:
        """Count the next endorsed digest; True if it is live, i.e. not revoked."""
        if live := self._states.count(record):
            self._live_endorsed.append(record)
        return live

    def _endorsed_contradiction(self) -> str | None:
        """Describe two live endorsed digests of one endorser that contradict each other, if any."""
        for one, _, name in contradictions(self._live_endorsed):
            return f"two records of {one.endorser_id} about {one.launch_digest} contradict each other in {name}"
        return None

    def _contradiction(self, new: Iterable[Rows]) -> str | None:
        """Describe two live rows with equal inputs and different digests, if any. new: the added rows."""
        known: dict[_Key, str] = {}
        for key, row in self._with_equal_inputs(new) if self._twice else ():
            if self._states.is_live(row):
                digest = known.setdefault(key, row.launch_digest)
                if digest != row.launch_digest:
                    pairs = zip(INPUTS, _inputs(row), strict=True)
                    named = ", ".join(f"{name} {value}" for name, value in pairs if value is not None)
                    return f"two launch digests, {digest} and {row.launch_digest}, of {named}"
        return None

    def _with_equal_inputs(self, new: Iterable[Rows]) -> Iterator[tuple[_Key, DigestRecord]]:
        """Yield rows of the log, and new ones, whose inputs several live rows have, with these."""
        packer = BlockPacker(self.groups)
        for part in self.walk.again():
            if isinstance(part, LeafBlock):
                yield from self._of(packer.pack(part), part.record)
            elif isinstance(part.record, DigestRecord) and (key := self._key(part.record)) in self._twice:
                yield key, part.record
        for rows in new:
            yield from self._of(rows, partial(self._record, rows))

    def _of(self, rows: Rows, record: Callable[[int], DigestRecord]) -> Iterator[tuple[_Key, DigestRecord]]:
        """As `_with_equal_inputs`, for packed rows."""
        for at, row in enumerate(unpack_rows(rows)):
            if (key := _Slot(row.group, row.slot)) in self._twice:
                yield key, record(at)

    def _key(self, record: DigestRecord) -> _Key:
        """What rows with equal inputs have in common."""
        row = take_apart(encode_leaf(replace(record, launch_digest=bytes(SEV_DIGEST_SIZE).hex())))
        return _inputs(record) if row is None else _Slot(self.groups.number(row.rest), row.vcpus - NONE)

    def _record(self, rows: Rows, at: int) -> DigestRecord:
        """The record of a packed row, read from its leaf."""
        (row,) = unpack_rows(rows[ROW * at : ROW * (at + 1)])
        return parse_row(row.leaf(self.groups))


def read_history(
    store: Store,
    checkpoint: Checkpoint,
    coming: Sequence[RevokeRecord] = (),
    *,
    now: int,
    folder: Path | None = None,
    audited: bool = False,
) -> History:
    """Read and hash all leaves of a log. Raises VerificationFailed if they are not those of the checkpoint.

    False statements of release records are listed in `walk.releases` and stop nothing: otherwise one false record
    would end the log. coming: revoke records that are about to be added. now: seconds since 1970. folder: where rows
    are kept on disk that do not fit in memory; without one, none can be compared with them.
    audited: whether tiles are compared with the leaves, and `products` made.
    Raises as LogWalk, and Unreadable.
    """

    def read(revokes: Sequence[RevokeRecord]) -> History:
        walk = LogWalk(store, checkpoint, now, tiles=audited)
        return History(walk, revokes, coming, folder, audited=audited)

    history = read(revokes := revokes_by_records(store, checkpoint.size))
    return history if history.revokes == tuple(revokes) else read(history.revokes)


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
