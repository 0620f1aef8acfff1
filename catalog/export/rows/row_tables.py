"""Tables of rows, as a search reads and judges them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from catalog.export.rows.component_kinds import BIT
from catalog.export.rows.export_rows import NUMBERS
from catalog.export.rows.rules import HOSTED

if TYPE_CHECKING:
    import pyarrow as pa


def whole_digests(groups: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The rows of tables in ascending order of digests, so that no two tables have rows of the same digest."""
    import pyarrow as pa
    import pyarrow.compute as pc

    held = None
    for group in groups:
        table = group if held is None else pa.concat_tables([held, group]).combine_chunks()
        if not table.num_rows:
            continue
        before_last = table.num_rows - pc.sum(pc.equal(table["launch_digest"], table["launch_digest"][-1])).as_py()
        held = table.slice(before_last)
        yield table.slice(0, before_last)
    if held is not None:
        yield held


def bits_of(digests: pa.Array, table: pa.Table) -> pa.Array:
    """For each digest the rules that speak against any of its rows, and HOSTED if it does against all of them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pa.repeat(pa.scalar(0, pa.int64()), len(digests))
    for rule, bit in BIT.items():
        is_against = pc.not_equal(pc.bit_wise_and(table["bits"], bit), 0)
        against = table["launch_digest"].filter(is_against)
        if len(against):
            among = pc.is_in(digests, value_set=pc.unique(against))
            if rule is HOSTED:
                others = table["launch_digest"].filter(pc.invert(is_against))
                among = pc.and_(among, pc.invert(pc.is_in(digests, value_set=pc.unique(others))))
            found = pc.bit_wise_or(found, pc.if_else(among, bit, 0))
    return found


def bare_table(digests: pa.Array, kinds: pa.Array) -> pa.Table:
    """Rows of which nothing but the digest is known."""
    import pyarrow as pa

    types = {"vcpu_signature": pa.uint32(), "sev_features": pa.uint64(), "vcpus": pa.uint16()}
    numbers = {name: pa.nulls(len(digests), types[name]) for name in NUMBERS}
    return pa.table({"launch_digest": digests, "components": kinds, **numbers})


def rows_of(table: pa.Table, digest: bytes) -> pa.Table:
    """The rows of a table that have a digest."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return table.filter(pc.equal(table["launch_digest"], pa.scalar(digest, table["launch_digest"].type)))
