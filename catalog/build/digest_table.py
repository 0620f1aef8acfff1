"""Encodes the rows of one technology as Parquet parts, and finds the offset of each page of digests in them."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalog.errors import LdcatError
from catalog.fast.index import ROW_GROUP
from catalog.files.direct_io import ScratchBuffer
from catalog.launch.point import VcpuPoint
from catalog.launch.vmsa_updates import vmsa_page_hashes
from catalog.rows.arrow import digest_schema
from catalog.rows.fields import COLUMNS, DIGEST
from catalog.rows.launch_config import VcpuSweep
from catalog.store.row_records import Columns

_SWEEP_FIELDS = [field for field in COLUMNS if field is not DIGEST and field.name != "vcpus"]
"""Fields with one value for all rows of a sweep; but the hash of the AP's VMSA is null for one vCPU."""

_MOST_BYTES = 512
"""Bytes: most of a row in a part, without its digest, if every value is in a dictionary and in the column itself."""

_FOOTER = 4 << 20
"""Bytes: most of a part without its rows, which is names and the headers of pages and dictionaries."""


@dataclass(frozen=True, slots=True)
class Part:
    """A Parquet file in memory.

    memory: holds the file in its first `size` bytes.
    pages: offset where the digests of each row group begin; they are one page.
    """

    memory: memoryview
    size: int
    pages: Sequence[int]


class DigestTable:
    """The column values of each sweep of a technology, from which the columns of any rows are made."""

    def __init__(self, technology: str, digest_size: int, sweeps: Sequence[VcpuSweep]) -> None:
        self._digest_size = digest_size
        pages: dict[Hashable, tuple[bytes | None, bytes | None]] = {}
        facts = [_facts(sweep, pages) for sweep in sweeps]
        lacking = {
            field.name for field in _SWEEP_FIELDS if field.optional and all(row[field.name] is None for row in facts)
        }
        self.schema = digest_schema(technology, digest_size, lacking)
        self._columns = {
            field.name: _encoded([row[field.name] for row in facts], self.schema.field(field.name).type)
            for field in _SWEEP_FIELDS
            if field.name not in lacking
        }
        lists = {id(sweep.vcpus): sweep.vcpus for sweep in sweeps}  # thousands of sweeps share a long list
        starts = dict(zip(lists, itertools.accumulate(map(len, lists.values()), initial=0), strict=False))
        self._counts = pa.array(itertools.chain.from_iterable(lists.values()), pa.uint16())
        self._counts_at = pa.array((starts[id(sweep.vcpus)] for sweep in sweeps), pa.uint32())

    def rows(self, columns: Columns) -> pa.Table:
        """The Arrow table of sorted rows, as it is written to a part."""
        sweeps = _array(columns.sweeps)
        places = pc.add(self._counts_at.take(sweeps), _array(columns.steps))
        vcpus = self._counts.take(places)
        made: dict[str, Any] = {}
        for name, (codes, values) in self._columns.items():
            chosen = codes.take(sweeps)
            if name == "ap_vmsa_sha256":
                chosen = pc.if_else(pc.equal(vcpus, 1), pa.scalar(None, pa.int32()), chosen)
            made[name] = pa.DictionaryArray.from_arrays(chosen, values)
        buffer = pa.py_buffer(columns.digests)
        size = pa.binary(self._digest_size)
        digests = pa.FixedSizeBinaryArray.from_buffers(size, len(columns.sweeps), [None, buffer])
        arrays = {"launch_digest": digests, **made, "vcpus": vcpus}
        fields = [field.with_type(arrays[field.name].type) for field in self.schema]  # dictionary-encoded
        return pa.Table.from_arrays(list(arrays.values()), schema=pa.schema(fields, metadata=self.schema.metadata))

    def part(self, columns: Columns, buffer: ScratchBuffer) -> Part:
        """The Parquet part of sorted rows, in the buffer of this thread."""
        memory = buffer.of(len(columns.sweeps) * (self._digest_size + _MOST_BYTES) + _FOOTER)
        with pa.FixedSizeBufferWriter(pa.py_buffer(memory)) as sink:
            pq.write_table(
                self.rows(columns),
                sink,
                row_group_size=ROW_GROUP,
                data_page_size=ROW_GROUP * self._digest_size,
                max_rows_per_page=ROW_GROUP,
                compression="NONE",  # dictionary codes of random rows: zstd saves one byte in two hundred
                use_dictionary=[name for name in self.schema.names if name != DIGEST.name],
                write_statistics=["launch_digest"],
                store_schema=False,
                sorting_columns=[pq.SortingColumn(0)],
            )
            size = sink.tell()
        written = memory[:size]
        metadata = pq.read_metadata(pa.BufferReader(pa.py_buffer(written)))
        groups = map(metadata.row_group, range(metadata.num_row_groups))
        return Part(memory, size, [self._page(written, group) for group in groups if group.num_rows])

    def _page(self, part: memoryview, group: Any) -> int:
        """The offset where the digests of a row group begin: they are the end of their page."""
        chunk = group.column(0)
        size = self._digest_size * group.num_rows
        start: int = chunk.data_page_offset + chunk.total_compressed_size - size
        first, end = part[start : start + self._digest_size], start + size
        if (first, part[end - self._digest_size : end]) != (chunk.statistics.min, chunk.statistics.max):
            raise LdcatError("this version of pyarrow does not write the digests of a row group as one plain page")
        return start


def _facts(sweep: VcpuSweep, pages: dict[Hashable, tuple[bytes | None, bytes | None]]) -> dict[str, Any]:
    """The values of _SWEEP_FIELDS for a sweep. pages: cache of the hashes of VMSA pages."""
    config = sweep.config
    launched = config.base or (config.key if config.igvm else config.image.reset_vector)
    key = (launched, config.vmm, *config.sweep_axes())
    if key not in pages:
        pages[key] = _page_hashes(sweep)
    made = dict(zip(("bsp_vmsa_sha256", "ap_vmsa_sha256"), pages[key], strict=True))
    return {field.name: made[field.name] if field.name in made else field.value(config) for field in _SWEEP_FIELDS}


def _page_hashes(sweep: VcpuSweep) -> tuple[bytes | None, bytes | None]:
    """SHA-256 of the VMSA page of the BSP, and of an AP even if there is only one vCPU; None: not measured or known."""
    config = sweep.at(sweep.vcpus[-1])
    if config.igvm and config.vcpus is not None:
        return config.igvm.vmsa_hashes(max(2, config.vcpus), config.vcpu_signature)
    if config.base or config.igvm or not isinstance(config.point, VcpuPoint):
        return config.vmsa_page_hashes()
    return vmsa_page_hashes(config.image, config.point)


def _encoded(values: Sequence[Any], kind: pa.DataType) -> tuple[pa.Array, pa.Array]:
    """Values by sweep, dictionary-encoded: the codes, null for None, and the dictionary."""
    codes: dict[Any, int] = {}
    numbers = [None if value is None else codes.setdefault(value, len(codes)) for value in values]
    return pa.array(numbers, pa.int32()), pa.array(codes, kind)


def _array(values: array[int]) -> pa.Array:
    return pa.Array.from_buffers(pa.uint32(), len(values), [None, pa.py_buffer(values)])
