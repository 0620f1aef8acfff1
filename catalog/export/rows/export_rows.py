"""Rows and digests of an export, kept in Arrow tables: an ExportRow is made when it is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from catalog.abi.kernel_hashes import KernelHashes
from catalog.export.exported import ExportRow
from catalog.firmware.build import FirmwareBuild
from catalog.rows.fields import record_texts
from catalog.rows.numbers import as_ranges

if TYPE_CHECKING:
    import pyarrow as pa

DIGEST_SIZE = 48
"""Bytes of a launch digest of SEV-SNP or TDX."""

NUMBERS = ("vcpu_signature", "sev_features", "vcpus")
"""Columns of a row beside its digest and its components, in the order that rows are sorted in."""

_SHOWN_AS = {"vcpu_signature": "vCPU signature", "vcpus": "vCPUs"}
"""Fields as people read them."""
_MOST_VALUES = 4
"""Values of a field that are listed."""

_BATCH = 4096
"""Rows that are Python values at a time."""


@dataclass(frozen=True, slots=True)
class LaunchComponentsOf:
    """The components that many rows have in common. values: the fields of a row that name them, and its technology."""

    values: Mapping[str, Any]
    firmware: FirmwareBuild | None = None
    kernel_hashes: KernelHashes | None = None
    kernel_name: str | None = None
    append: str | None = None


class ArrowRows(Collection[ExportRow]):
    """The rows of a table with the columns launch_digest, `components` (a place in a list) and NUMBERS."""

    def __init__(self, table: pa.Table, components: Sequence[LaunchComponentsOf]) -> None:
        self._table = table
        self._components = components

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def differences(self) -> str:
        """The fields in which the rows differ, each with its values, as a list for a sentence; empty if in none."""
        import pyarrow.compute as pc

        columns = {name: pc.unique(self._table[name]).to_pylist() for name in ("components", *NUMBERS)}
        met = [self._components[number] for number in columns.pop("components")]
        columns = {
            "firmware": [None if one.firmware is None else one.firmware.name for one in met],
            "kernel hashes": [one.kernel_name or "none" for one in met],
            "VMM profile": [one.values.get("vmm") for one in met],
            **columns,
        }
        found = {_SHOWN_AS.get(name, name): list(dict.fromkeys(values)) for name, values in columns.items()}
        differing = [f"{name} ({_values_text(name, values)})" for name, values in found.items() if len(values) > 1]
        *others, last = differing or [""]
        return f"{', '.join(others)} and {last}" if others else last

    def __contains__(self, row: object) -> bool:
        return any(one == row for one in self)

    def __iter__(self) -> Iterator[ExportRow]:
        for batch in self._table.to_batches(max_chunksize=_BATCH):
            columns = (batch.column(name).to_pylist() for name in ("launch_digest", "components", *NUMBERS))
            for digest, number, signature, features, vcpus in zip(*columns, strict=True):
                yield _row(digest, self._components[number], signature, features, vcpus)


class PackedDigests(Sequence[bytes]):
    """Launch digests, one after the other in one string of bytes."""

    def __init__(self, packed: bytes) -> None:
        self.packed = packed

    def __len__(self) -> int:
        return len(self.packed) // DIGEST_SIZE

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        begin = range(len(self))[place] * DIGEST_SIZE
        return self.packed[begin : begin + DIGEST_SIZE]

    def __iter__(self) -> Iterator[bytes]:
        packed = self.packed
        for begin in range(0, len(packed), DIGEST_SIZE):
            yield packed[begin : begin + DIGEST_SIZE]


def distinct_digests(table: pa.Table, count: int) -> PackedDigests:
    """The distinct digests of a table, in the order of their first rows. count: how many there are."""
    import pyarrow.compute as pc

    column = table["launch_digest"]
    found = column.combine_chunks() if count == len(column) else pc.unique(column)  # which takes much more memory
    begin = found.offset * DIGEST_SIZE
    return PackedDigests(bytes(memoryview(found.buffers()[1])[begin : begin + len(found) * DIGEST_SIZE]))


def _values_text(name: str, values: Sequence[Any]) -> str:
    """Values of a field, a few of them one by one."""
    known = [one for one in values if one is not None]
    unknown = ["not known"] if len(known) < len(values) else []
    if name == "vCPUs":
        return ", ".join([as_ranges(sorted(known)), *unknown])
    if len(values) > _MOST_VALUES:
        return f"{len(values):,} values"
    texts = [f"{one:#x}" if isinstance(one, int) else str(one) for one in sorted(known)]
    return ", ".join([*texts, *unknown])


def _row(
    digest: bytes, of: LaunchComponentsOf, signature: int | None, features: int | None, vcpus: int | None
) -> ExportRow:
    values = {
        **of.values,
        "launch_digest": digest,
        "vcpu_signature": signature,
        "sev_features": features,
        "vcpus": vcpus,
    }
    record = record_texts(values)
    del record["type"]
    return ExportRow(
        digest=digest,
        firmware=of.firmware,
        kernel_hashes=of.kernel_hashes,
        kernel_name=of.kernel_name,
        append=of.append,
        vmm=of.values.get("vmm"),
        vcpus=vcpus,
        vcpu_signature=signature,
        sev_features=features,
        record=record,
    )
