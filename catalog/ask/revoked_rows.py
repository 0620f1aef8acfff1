"""Rows of a table of launch digests that have the values of a selector, and those that a log revokes or deprecates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from catalog.log.revocation_list import Revocation
from catalog.rows.endorsed_record import SELECTABLE
from catalog.rows.fields import BY_NAME, UNKNOWN_OF_BASES

if TYPE_CHECKING:
    import pyarrow as pa


def with_revocations(table: pa.Table, revocations: Sequence[Revocation]) -> pa.Table:
    """The table with two more columns, revocation and revocation_reason; null for rows that are neither.

    The newest revocation that selects a row counts.

    table: as digest_table.py makes it.
    revocations: the revocations of the log, the newest last.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    newest = pa.nulls(table.num_rows, pa.int32())
    for number, one in enumerate(revocations):
        status = None if one.severity == "restored" else number
        newest = pc.if_else(selected_rows(table, one.selector), pa.scalar(status, pa.int32()), newest)
    for name, values in (
        ("revocation", [one.severity for one in revocations]),
        ("revocation_reason", [one.reason for one in revocations]),
    ):
        table = table.append_column(name, pa.array(values, pa.string()).take(newest))
    return table


def selected_rows(table: pa.Table, selector: Mapping[str, str | int | None]) -> Any:
    """For each row: true if it has all values of a selector, canonical texts and numbers by field."""
    import pyarrow as pa
    import pyarrow.compute as pc

    selected = pa.repeat(True, table.num_rows)
    for name, value in selector.items():
        if name in SELECTABLE:  # no row has it
            return pa.repeat(False, table.num_rows)
        if name in UNKNOWN_OF_BASES:
            selected = pc.and_(selected, pc.is_null(table.column("base_digest")))
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if value is None:
            selected = pc.and_(selected, pc.is_null(column))
        else:
            wanted = pa.scalar(_as_in(column.type, name, value), column.type)
            selected = pc.and_(selected, pc.fill_null(pc.equal(column, wanted), False))
    return selected


def _as_in(kind: pa.DataType, name: str, text: str | int) -> Any:
    """A value of a record in the type of the column; None, which equals nothing, if the column cannot have it."""
    try:
        value = BY_NAME[name].kind.parse(text)
    except ValueError:
        return None
    import pyarrow as pa

    return None if pa.types.is_fixed_size_binary(kind) and kind.byte_width != len(value) else value
