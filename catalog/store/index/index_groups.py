"""The groups of an index as columns: the inputs of rows, by their ordinals."""

from __future__ import annotations

import itertools
from array import array
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from catalog.fast.index import Group, Index
from catalog.fast.names import PROFILES, TABLES, Names
from catalog.fast.verity import DamagedBlock
from catalog.rows.fields import AXES, COMPONENTS

if TYPE_CHECKING:
    import pyarrow as pa

GROUPED = tuple(field.name for field in COMPONENTS if field.name != "technology")
"""Columns of the components that all rows of a group have in common."""

AXIS_NAMES = tuple(field.name for field in AXES)
"""Columns of the axes; the last one changes first."""


@dataclass(frozen=True, slots=True)
class IndexGroups:
    """All groups.

    firsts: first ordinal of each group, then the end of the last one.
    places: the number of the group of every ordinal that is a multiple of `1 << shift`: of each group at least one, or
    of each ordinal.
    components: by column, for each group the number of its component, null for none, and the components.
    axes: for each axis all values, and for each group where its values begin among them and how many it has, 1 or more.
    """

    firsts: pa.UInt64Array
    places: pa.UInt32Array
    shift: int
    components: dict[str, tuple[pa.Int32Array, pa.Array]]
    axes: dict[str, tuple[pa.UInt64Array, pa.UInt64Array, pa.UInt64Array]]

    @classmethod
    def of(cls, index: Index, names: Names) -> IndexGroups:
        """Read all groups; raises DamagedBlock if they are not consecutive, with one ordinal for each row."""
        import pyarrow as pa

        from catalog.rows.arrow import arrow_type

        firsts = array("Q", [0])
        numbers: dict[str, dict[bytes | str, int]] = {name: {} for name in GROUPED}
        components: dict[str, list[int | None]] = {name: [] for name in GROUPED}
        values: dict[str, list[int | None]] = {name: [] for name in AXIS_NAMES}
        places: dict[str, dict[tuple[int, ...], int]] = {name: {} for name in AXIS_NAMES}
        starts: dict[str, tuple[list[int], list[int]]] = {name: ([], []) for name in AXIS_NAMES}
        for group in index.groups():
            if group.first != firsts[-1] or group.first + group.rows > index.rows:
                raise DamagedBlock("its groups are not consecutive")
            firsts.append(group.first + group.rows)
            for name, value in zip(GROUPED, group_components(group, names), strict=True):
                known = numbers[name]
                components[name].append(None if value is None else known.setdefault(value, len(known)))
            for name, listed in zip(AXIS_NAMES, (group.signatures, group.features, group.counts), strict=True):
                if listed not in places[name]:
                    places[name][listed] = len(values[name])
                    values[name] += listed or (None,)
                starts[name][0].append(places[name][listed])
                starts[name][1].append(len(listed) or 1)
        if firsts[-1] != index.rows:
            raise DamagedBlock("its groups do not have as many rows as it has entries")
        number = pa.uint64()
        kinds = {field.name: arrow_type(field) for field in COMPONENTS}
        shift, of_ordinals = _places(firsts)
        return cls(
            pa.array(firsts, number),
            pa.UInt32Array.from_buffers(pa.uint32(), len(of_ordinals), [None, pa.py_buffer(of_ordinals)]),
            shift,
            {name: (pa.array(components[name], pa.int32()), pa.array(numbers[name], kinds[name])) for name in GROUPED},
            {
                name: (pa.array(values[name], number), pa.array(begins, number), pa.array(sizes, number))
                for name, (begins, sizes) in starts.items()
            },
        )

    def wrong_rows(self, table: pa.Table, ordinals: pa.UInt64Array) -> pa.BooleanArray:
        """Whether the inputs of each row differ from those of its ordinal.

        table: with GROUPED, dictionary-encoded as far as the table has them, and AXIS_NAMES.
        ordinals: below the end of the last group.
        """
        import pyarrow.compute as pc

        group = self._group_of(ordinals)
        wrong = [
            _differ(_numbered(table[name].combine_chunks(), listed), codes.take(group))
            for name, (codes, listed) in self.components.items()
        ]
        rest = pc.subtract(ordinals, self.firsts.take(group))
        for name in reversed(AXIS_NAMES):
            values, start, count = self.axes[name]
            rest, place = _divided(rest, count.take(group))
            found = table[name].combine_chunks()
            wrong.append(_differ(found.cast(values.type), values.take(pc.add(start.take(group), place))))
        return reduce(pc.or_, wrong)

    def _group_of(self, ordinals: pa.UInt64Array) -> pa.UInt32Array:
        """The number of the group of each ordinal."""
        import pyarrow as pa
        import pyarrow.compute as pc

        group = self.places.take(pc.shift_right(ordinals, pa.scalar(self.shift, pa.uint64())))
        is_later = pc.greater_equal(ordinals, self.firsts.take(pc.add(group, pa.scalar(1, pa.uint32()))))
        return pc.add(group, is_later.cast(pa.uint32()))


def group_components(group: Group, names: Names) -> tuple[bytes | str | None, ...]:
    """The values of GROUPED of a group, hashes as bytes; raises DamagedBlock for a component without a hash."""
    try:
        table = None if group.kernel_hashes is None else names.record(TABLES, group.kernel_hashes)[0] or ""
        return (
            *(None if one is None else bytes.fromhex(one) for one in (*names.identity(group.firmware), table)),
            None if group.vmm is None else names.record(PROFILES, group.vmm)[0],
        )
    except (ValueError, LookupError) as error:
        raise DamagedBlock("the component names are invalid") from error


def _places(firsts: array[int]) -> tuple[int, array[int]]:
    """`shift` and `places` of IndexGroups: steps so short that none goes over a whole group."""
    shortest = min((end - first for first, end in itertools.pairwise(firsts)), default=1)
    shift, found = max(0, shortest.bit_length() - 1), array("I")
    for number, end in enumerate(firsts[1:]):
        found.extend(array("I", [number]) * (-(-end >> shift) - len(found)))
    return shift, found


def _numbered(found: pa.Array, listed: pa.Array) -> pa.Array:
    """Values as numbers of those that are listed; -1 for any other, null for null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(found.type):
        found = found.dictionary_encode()
    return pc.fill_null(pc.index_in(found.dictionary, value_set=listed), -1).take(found.indices)


def _differ(found: pa.Array, expected: pa.Array) -> pa.BooleanArray:
    """Whether each pair of values differs, or only one of the two is null."""
    import pyarrow.compute as pc

    return pc.or_(pc.fill_null(pc.not_equal(found, expected), False), pc.xor(pc.is_null(found), pc.is_null(expected)))


def _divided(numbers: pa.UInt64Array, by: pa.UInt64Array) -> tuple[pa.UInt64Array, pa.UInt64Array]:
    """Quotients and remainders."""
    import pyarrow.compute as pc

    quotients = pc.divide(numbers, by)
    return quotients, pc.subtract(numbers, pc.multiply(quotients, by))
