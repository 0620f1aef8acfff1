"""Whether a log has every row of a catalog: by a product over the rows of each group, and row by row where it differs.

Most groups of a catalog have the same rows there as in its log. A log has more if vCPU counts were added to a group, or
if one of its rows was revoked and published again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyarrow as pa

from catalog.log.leaves.leaf_block import LeafBlock
from catalog.log.leaves.merged_rows import MergedRows
from catalog.log.leaves.packed_blocks import BlockPacker
from catalog.log.leaves.row_products import RowProducts, rows_of
from catalog.log.log_history import History
from catalog.log.row_leaves import RowPacker
from catalog.store.duckdb_scratch import scratch_folder

Tables = Callable[[], Iterable[pa.Table]]
"""The rows of a catalog, with the columns of row_leaves.COLUMNS, as often as asked."""


def has_rows(history: History, tables: Tables) -> bool:
    """Whether a log, whose history was read to be audited, has all rows.

    Raises DiskFull, OutOfMemory and Unreadable for the temporary folder, and as LogWalk and the tables.
    """
    if history.products is None:
        return False
    found, packer = RowProducts(like=history.products), RowPacker(history.groups)
    for packed in packer.pack(tables()):
        found.add(packed, len(history.groups))
    unsure = found.differing(history.products)
    if not unsure:
        return True
    with scratch_folder() as folder:  # for what does not fit in memory
        rows, of_blocks = MergedRows(history.groups, folder), BlockPacker(history.groups)
        for part in history.walk.again():
            if isinstance(part, LeafBlock):
                rows.add(rows_of(of_blocks.pack(part), unsure))
        for packed in packer.pack(tables()):
            rows.add(rows_of(packed, unsure))
        return not any(map(len, rows.unknown()))
