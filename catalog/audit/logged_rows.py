"""LoggedRows: whether a log has the rows that an audit generated, by their products, without packing a table again."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import pyarrow as pa

from catalog.build.digest_table import DigestTable
from catalog.log.leaves.packed_rows import groups_of, pack_rows, row_bits
from catalog.log.leaves.row_products import RowProducts
from catalog.log.log_history import History
from catalog.log.row_leaves import COLUMNS, RowPacker, vcpu_counts
from catalog.rows.arrow import complete
from catalog.rows.launch_config import VcpuSweep
from catalog.store.row_records import Columns


class LoggedRows:
    """Takes the rows of each part, in any thread.

    history: of a log that was read to be audited; its groups get those of the sweeps.
    table, sweeps, digest_size: of the technology.
    """

    def __init__(self, history: History, table: DigestTable, sweeps: Sequence[VcpuSweep], digest_size: int) -> None:
        count = len(sweeps)
        zeros = array("I", bytes(4 * count))
        firsts = Columns(bytearray(digest_size * count), array("I", range(count)), zeros, bytearray(), array("Q"))
        packed = RowPacker(history.groups).pack([complete(table.rows(firsts), COLUMNS)])
        self._numbers = array("I", (group for rows in packed for group in groups_of(rows)))
        self._bits = array("I", [row_bits(digest_size, known=False)] * count)
        self._groups, self._known = len(history.groups), history.products
        self._of_parts: dict[int, RowProducts] = {}

    def add(self, part: int, columns: Columns, rows: pa.Table) -> None:
        """Add rows of a part, by its number. rows: the table of the columns."""
        packed = pack_rows(columns.digests, vcpu_counts(rows), columns.sweeps, self._numbers, self._bits)
        self._of_parts.setdefault(part, RowProducts(like=self._known)).add(packed, self._groups)

    def are_all(self) -> bool:
        """Whether the log has all rows that were added; False also if it is not known to have them."""
        found = RowProducts(like=self._known)
        for products in self._of_parts.values():
            found.multiply(products)
        return self._known is not None and not found.differing(self._known)
