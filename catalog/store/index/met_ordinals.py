"""MetOrdinals: whether each ordinal of an index was met once, and stands for inputs of its own."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from catalog.fast.index import Group, Index
from catalog.fast.names import Names
from catalog.fast.verity import DamagedBlock
from catalog.store.index.index_groups import group_components

if TYPE_CHECKING:
    import pyarrow as pa


class MetOrdinals:
    """The ordinals of the rows so far, one bit each. Raises DamagedBlock for an invalid index.

    distinct: whether no inputs were met twice.
    """

    def __init__(self, index: Index, names: Names) -> None:
        import pyarrow as pa

        self.distinct = _are_distinct(index, names)
        self._met: pa.BooleanArray = pa.repeat(pa.scalar(False), index.rows if self.distinct else 0)

    def add(self, ordinals: pa.UInt64Array) -> None:
        """Add ordinals below the number of rows."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.distinct:
            return
        trues = pa.repeat(pa.scalar(True), len(ordinals))
        met = pc.scatter(trues, ordinals.cast(pa.int64()), max_index=len(self._met) - 1)
        met = pc.fill_null(met, False)
        self.distinct = pc.sum(met).as_py() == len(ordinals) and not pc.any(pc.and_(met, self._met)).as_py()
        self._met = pc.or_(met, self._met)


def _are_distinct(index: Index, names: Names) -> bool:
    """Whether no two ordinals have the same inputs."""
    seen = set()
    ordinal = 0
    for group in index.groups():
        if group.first != ordinal or group.first + group.rows > index.rows:
            raise DamagedBlock("its groups are not consecutive")
        ordinal += group.rows
        for sweep in _sweeps(group, names):
            if sweep in seen:
                return False
            seen.add(sweep)
        if len({*group.counts}) != len(group.counts):
            return False
    return True


def _sweeps(group: Group, names: Names) -> itertools.product[tuple[object, ...]]:
    """The inputs of each sweep of a group, without the vCPU count."""
    return itertools.product([group_components(group, names)], group.signatures or (None,), group.features or (None,))
