"""Audit of a catalog against its log: each row and each endorsed digest is a leaf."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import pyarrow as pa

from catalog.audit.audit import AuditFinding, wrong
from catalog.audit.audit_release import LogAudit
from catalog.audit.leaf_membership import LeafMembership, Missing, leaf_membership
from catalog.audit.rows_in_log import has_rows
from catalog.errors import DiskFull, LdcatError, OutOfMemory
from catalog.fast.published import PublishedRelease
from catalog.log.leaf_search import endorsed_leaves
from catalog.log.log_reader import LogReader, open_log
from catalog.log.records import encode_leaf
from catalog.log.row_leaves import COLUMNS, ENCODED, row_leaves
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.digest_parts import DigestPart, digest_parts
from catalog.store.endorsements import read_endorsements
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.merkle import leaf_hash
from catalog.transparency.tiles import WIDTH, TileReader

_TILES = 1 << 10
"""Tiles: how many are in memory at a time."""


@dataclass(frozen=True, slots=True)
class _AskedPart:
    """A part whose rows are looked for. chunks: those of its row groups. failure: why not, if they are not."""

    part: DigestPart
    chunks: Sequence[int]
    failure: str | None = None

    def findings(self, missing: Mapping[int, Missing]) -> Iterator[AuditFinding]:
        """Yield a finding if rows of the part are missing. Raises as DigestPart.groups."""
        if self.failure:
            yield wrong("leaf", self.part.name, f"its rows were not compared with the leaves: {self.failure}")
        lacking = [(group, missing[chunk]) for group, chunk in enumerate(self.chunks) if chunk in missing]
        if lacking:
            group, found = lacking[0]
            table = next(islice(self.part.groups(COLUMNS), group, None))
            first = row_leaves(table.slice(found.first, 1))[0].decode()
            count = sum(each.count for _, each in lacking)
            yield wrong("leaf", self.part.name, f"{count:,} of its rows are not leaves, e.g. {first}")


def leaf_findings(
    release: PublishedRelease, catalog: Catalog, audit: LogAudit, *, logged: bool = False
) -> Iterator[AuditFinding]:
    """Yield what of the catalog the log lacks, and endorsed digests of the release that the catalog lacks.

    audit: of the log, after its findings. If its contents have all rows, and the tiles that a reader finds them by are
    right, no hash of a row needs to be made. logged: whether it is known to have them.

    Raises DiskFull, OutOfMemory and Unreadable for the temporary folder.
    """
    parts = [part for technology in catalog.manifest.known for part in digest_parts(catalog, technology)]
    are_there = _has_rows(audit, release, parts, logged=logged)
    with leaf_membership(release.size) as leaves:
        try:
            for hashes in _leaf_hashes(release) if not are_there or manifest.ENDORSED in catalog.manifest.files else ():
                leaves.add_known(hashes)
        except LdcatError as failure:
            yield wrong("leaf", "log", str(failure))
            return
        try:
            listed = [encode_leaf(record) for record in read_endorsements(catalog).records]
            added = _added_endorsed(release)
        except LdcatError as failure:
            yield wrong("leaf", manifest.ENDORSED, f"its lines were not compared with the leaves: {failure}")
            listed, added = [], []
        lines = leaves.ask(b"".join(map(leaf_hash, listed)))
        asked = [] if are_there else [_asked(part, leaves) for part in parts]
        missing = leaves.missing()
        if found := missing.get(lines):
            what = f"{found.count:,} of its lines are not leaves, e.g. {listed[found.first].decode()}"
            yield wrong("leaf", manifest.ENDORSED, what)
        if lacking := sorted(set(added) - set(listed)):
            what = f"it lacks {len(lacking):,} endorsed digests of the release, e.g. {lacking[0].decode()}"
            yield wrong("leaf", manifest.ENDORSED, what)
        for each in asked:
            yield from each.findings(missing)


def _has_rows(audit: LogAudit, release: PublishedRelease, parts: Sequence[DigestPart], *, logged: bool) -> bool:
    """Whether the log has every row of these parts, and its leaf hashes are in its tiles. Raises DiskFull."""
    checkpoint, history = audit.checkpoint, audit.history
    if (
        checkpoint is None
        or history is None
        or (checkpoint.size, checkpoint.root.hex()) != (release.size, release.root)
    ):
        return False
    try:
        tiles = history.walk.tiles
        return tiles is not None and tiles.same and (logged or has_rows(history, partial(_tables, parts)))
    except (DiskFull, OutOfMemory):
        raise
    except LdcatError:  # of a file, which is reported where it is read again
        return False


def _tables(parts: Iterable[DigestPart]) -> Iterator[pa.Table]:
    """The rows of parts, as they are compared with those of a log. Raises as DigestPart.groups."""
    return (table for part in parts for table in part.groups(COLUMNS, encoded=ENCODED))


def _added_endorsed(release: PublishedRelease) -> list[bytes]:
    """The endorsed digests that the release added to the log. Raises as LogReader."""
    reader = LogReader(open_log(release), Checkpoint(release.origin, release.size, bytes.fromhex(release.root)))
    span = next(span for span in reader.spans() if span.record.release == release.number)
    return list(endorsed_leaves(reader, span))


def _asked(part: DigestPart, leaves: LeafMembership) -> _AskedPart:
    """Look for the rows of a part."""
    try:
        hashes = (b"".join(map(leaf_hash, row_leaves(table))) for table in part.groups(COLUMNS))
        return _AskedPart(part, [leaves.ask(some) for some in hashes])
    except LdcatError as failure:
        return _AskedPart(part, (), str(failure))


def _leaf_hashes(release: PublishedRelease) -> Iterator[bytes]:
    """All leaf hashes of the log, of some tiles at a time. Raises as TileReader."""
    log, tiles = open_log(release), -(-release.size // WIDTH)
    for first in range(0, tiles, _TILES):
        reader = TileReader(log, release.size)  # which keeps what it read
        yield b"".join(reader.tile(0, number) for number in range(first, min(first + _TILES, tiles)))
