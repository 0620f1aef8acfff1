"""ReleaseRows: the rows and endorsed digests of a release, recomputed while they are read from the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

from catalog.audit.recompute import Difference, EqualRows, Inputs, Recomputation, false_components, sweep_inputs
from catalog.audit.right_technologies import right_technologies
from catalog.audit.row_pieces import RowPiece, RowPieces
from catalog.errors import LdcatError
from catalog.files.direct_io import return_freed_memory
from catalog.launch.hashing.backends import HashBackend
from catalog.log.leaves.leaf_block import LeafBlock
from catalog.log.records import RevokeRecord
from catalog.log.revocations import Revocations
from catalog.operate.finding import Severity
from catalog.rows.digest_record import DigestRecord
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.rows.unknown import unknown_technology
from catalog.store.catalog import Catalog
from catalog.store.endorsements import read_endorsements
from catalog.work.engine import Engine
from catalog.work.progress import Progress

_MOST_ALONE = 1 << 16
"""Rows in unusual notation that are kept before they are recomputed."""


class ReleaseRows:
    """Takes the leaves of a release in their order.

    number: of the release.
    open_catalog: opens its catalog. Raises LdcatError, which is a difference: its rows cannot be recomputed.
    """

    def __init__(
        self,
        number: int,
        open_catalog: Callable[[], Catalog],
        revocations: Revocations[RevokeRecord],
        *,
        engine: Engine,
        backend: HashBackend,
        progress: Progress,
    ) -> None:
        self.rows = 0
        self.endorsed: list[EndorsedRecord] = []
        self._number, self._open, self._revocations = number, open_catalog, revocations
        self._engine, self._backend, self._progress = engine, backend, progress
        self._pieces = RowPieces()
        self._alone: dict[Inputs, EqualRows] = {}
        self._rows_alone = 0
        self._found: list[Difference] = []

    def add(self, block: LeafBlock) -> None:
        """Add rows."""
        self.rows += len(block)
        for piece in self._pieces.add(block):
            self._compare(piece)

    def add_row(self, record: DigestRecord) -> None:
        """Add a row that is in no block."""
        self.rows += 1
        self._rows_alone += 1
        self._alone.setdefault(sweep_inputs(record), EqualRows()).add(record)
        if self._rows_alone >= _MOST_ALONE:
            self._compare_alone()

    def differences(self) -> Iterator[Difference]:
        """Yield what differs, after the last leaf."""
        self._compare_rest()
        if isinstance(self._opened, LdcatError):  # in its folder; the other releases can still be recomputed
            yield Difference(Severity.ERROR, self._number, f"cannot be recomputed: {self._opened}", self.rows)
            self._progress(self.rows)
            return
        catalog, made = self._opened
        yield from made.foreign_profiles()
        yield from (one for one in self._found if one.row is None)
        yield from (one for one in self._found if one.row is not None)
        right = right_technologies(catalog, self._engine, self._backend)
        yield from false_components(catalog, self._number, right)
        yield from self._unknown_technologies(catalog)
        yield from self._unlisted_endorsed(catalog)

    @cached_property
    def _opened(self) -> tuple[Catalog, Recomputation] | LdcatError:
        try:
            catalog = self._open()
            return catalog, Recomputation(catalog, self._number, self._revocations)
        except LdcatError as error:
            return error

    def _compare(self, piece: RowPiece) -> None:
        if not isinstance(self._opened, LdcatError):
            made = self._opened[1]
            self._found += made.differences_of_piece(piece, self._engine, self._backend, self._progress)

    def _compare_rest(self) -> None:
        for piece in self._pieces.rest():
            self._compare(piece)
        self._pieces = RowPieces()  # whose memory is not used
        self._compare_alone()
        return_freed_memory()  # what follows reads whole files

    def _compare_alone(self) -> None:
        groups, self._alone, self._rows_alone = self._alone, {}, 0
        if not isinstance(self._opened, LdcatError):
            self._found += self._opened[1].differences(groups, self._engine, self._backend, self._progress)

    def _unknown_technologies(self, catalog: Catalog) -> Iterator[Difference]:
        """Technologies of a later version, which were not recomputed: an error, so that they are not cosigned."""
        for name, entry in catalog.manifest.unknown.items():
            what = unknown_technology(name, entry.rows, "not recomputed").text
            yield Difference(Severity.ERROR, self._number, what, 0)

    def _unlisted_endorsed(self, catalog: Catalog) -> Iterator[Difference]:
        """Endorsed digests of a release that its catalog does not have: nobody could check them."""
        try:
            listed = set(read_endorsements(catalog).records)
        except LdcatError as error:
            yield Difference(Severity.ERROR, self._number, f"its endorsed digests cannot be compared: {error}", 0)
            return
        for record in self.endorsed:
            if record not in listed:
                what = f"the catalog does not have the endorsed digest {record.launch_digest} of {record.endorser_id}"
                yield Difference(Severity.ERROR, self._number, what, 0)
