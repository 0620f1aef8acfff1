"""The combinations of components that rows have: few, whatever the number of rows, so each is judged and named once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from catalog.export.rows.export_rows import LaunchComponentsOf
from catalog.export.rows.rules import RULES, Rule, component_rules
from catalog.log.revocations import Revocations
from catalog.rows.fields import COMPONENTS, identity
from catalog.store.catalog import Catalog

if TYPE_CHECKING:
    import pyarrow as pa

KEYS = tuple(field.name for field in COMPONENTS if field.name != "technology")
"""Columns that name a component."""

BIT = {rule: 1 << number for number, rule in enumerate(RULES)}
"""A set of rules as a number."""


def rules_of(bits: int) -> frozenset[Rule]:
    """The rules of such a set."""
    return frozenset(rule for rule, bit in BIT.items() if bits & bit)


class ComponentKinds:
    """The combinations of components that rows of a technology have, numbered as they were met.

    Raises as `component_rules`.

    bits: what speaks against each, as a set of rules.
    """

    def __init__(self, catalog: Catalog, technology: str, revocations: Revocations[Any]) -> None:
        self._catalog, self._technology, self._revocations = catalog, technology, revocations
        self._numbers: dict[tuple[Any, ...], int] = {}
        self.bits: list[int] = []

    def of(self, table: pa.Table) -> pa.Array:
        """The number of the combination that each row has."""
        import pyarrow as pa
        import pyarrow.compute as pc

        met: list[tuple[Any, ...]] = [()]
        code = pa.repeat(pa.scalar(0, pa.int64()), table.num_rows)
        for name in KEYS:  # codes are numbered anew for each column, so that no product of their numbers overflows
            column = table[name].combine_chunks().dictionary_encode(null_encoding="encode")
            values: list[Any] = column.dictionary.to_pylist()
            both = pc.add(pc.multiply(code, len(values)), column.indices.cast(pa.int64())).dictionary_encode()
            met = [(*met[one // len(values)], values[one % len(values)]) for one in both.dictionary.to_pylist()]
            code = both.indices.cast(pa.int64())
        return pa.array([self._number(key) for key in met], pa.int32()).take(code)

    def unknown(self) -> int:
        """The number of a digest of which no component is known."""
        return self._place((None,) * len(KEYS), frozenset())

    def named(self) -> list[LaunchComponentsOf]:
        """What the rows of each combination have in common."""
        return [self.components(dict(zip(KEYS, key, strict=True))) for key in self._numbers]

    def components(self, row: Mapping[str, Any]) -> LaunchComponentsOf:
        """What rows with these values of KEYS have in common."""
        values = {**row, "technology": self._technology}
        if row["base_digest"] is not None or identity(row) is None:
            return LaunchComponentsOf(values)
        build, kernel = self._build(row), self._kernel(row)
        firmware = self._catalog.builds[build["name"]]
        if kernel is None:
            return LaunchComponentsOf(values, firmware)
        hashes = self._catalog.tables[kernel["table_sha256"].hex()]
        return LaunchComponentsOf(values, firmware, hashes, kernel["name"], kernel["append"])

    def text(self, number: int) -> str:
        """A combination for people: firmware or base, kernel hashes, VMM profile."""
        order = self._order(dict(zip(KEYS, list(self._numbers)[number], strict=True)))
        return ", ".join(part for part in order if isinstance(part, str) and part)

    def order(self) -> list[int]:
        """The place of each combination in the order of exports: by firmware, kernel hashes and VMM profile."""
        keys = [self._order(dict(zip(KEYS, key, strict=True))) for key in self._numbers]
        places = sorted(range(len(keys)), key=keys.__getitem__)
        return sorted(range(len(keys)), key=places.__getitem__)

    def _number(self, key: tuple[Any, ...]) -> int:
        if key in self._numbers:
            return self._numbers[key]
        row = {**dict(zip(KEYS, key, strict=True)), "technology": self._technology}
        return self._place(key, component_rules(self._catalog, row, self._revocations))

    def _place(self, key: tuple[Any, ...], rules: Iterable[Rule]) -> int:
        self._numbers[key] = len(self.bits)
        self.bits.append(sum(BIT[rule] for rule in rules))
        return self._numbers[key]

    def _order(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        if row["base_digest"] is not None or identity(row) is None:
            bases = self._catalog.bases.get(row["base_digest"], [])
            return (
                1,
                min((base.label for base in bases), default=""),
                row["base_digest"] or b"",
                "",
                b"",
                row["vmm"] or "",
            )
        build, kernel = self._build(row), self._kernel(row)
        kernel_order = ("", b"") if kernel is None else (kernel["name"], kernel["table_sha256"])
        return (0, build["name"], identity(row), *kernel_order, row["vmm"] or "")

    def _build(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The build by which an image is named: the first of its names."""
        return min(self._catalog.firmware[identity(row)], key=lambda one: str(one["name"]))

    def _kernel(self, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        table = row["kernel_hashes_sha256"]
        return None if table is None else min(self._catalog.kernel_hashes[table], key=lambda one: str(one["name"]))
