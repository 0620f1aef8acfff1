"""Generation: hashes the sweeps of one technology and sorts their rows, one shard at a time.

Map: hash some sweeps, split the rows by their first bits. Reduce: sort the rows of one shard. Digests are uniformly
distributed, so all shards have about the same size; each becomes one Parquet part.
"""

from __future__ import annotations

import itertools
import shutil
from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.build.distinguished import distinguished_records
from catalog.build.measuring import measure_sweeps
from catalog.files.direct_io import Appended
from catalog.launch.chain import SIDE_BY_SIDE
from catalog.launch.hashing.backends import HashBackend
from catalog.rows.launch_config import VcpuSweep
from catalog.store import row_records
from catalog.store.row_records import NUMBERS_SIZE, Buffer, Columns, Keying
from catalog.work.engine import Engine
from catalog.work.progress import Progress

ROWS_PER_PART = 1 << 21
"""About the most rows of one Parquet part, which are sorted at once."""

_CHUNK = (1 << 18, 1 << 20)
"""Fewest and most steps that are hashed at once, if the backend is compiled code."""

_HELD = 1 << 27
"""Bytes: memory for spilled records of all shards, until they are written in long runs."""

_CHUNK_IN_PYTHON = 1 << 13


@dataclass(frozen=True, slots=True)
class HashTask:
    """Sweeps of one technology to hash.

    numbers: those of the sweeps.
    bits: of a shard's number.
    distinguished_bits: 0 if every digest is kept.
    """

    numbers: Sequence[int]
    sweeps: Sequence[VcpuSweep]
    bits: int
    backend: HashBackend
    distinguished_bits: int


@dataclass(frozen=True, slots=True)
class SortTask:
    """The records of one shard to sort. bits: of the shard's number."""

    shard: int
    records: Buffer
    digest_size: int
    bits: int
    keying: Keying


def shard_bits(row_count: int) -> int:
    """Bits of a shard's number, so that no shard has many more than ROWS_PER_PART rows."""
    return max(0, (row_count - 1) // ROWS_PER_PART).bit_length()


def hash_sweeps(task: HashTask) -> list[Buffer]:
    """Map: the records of some sweeps by shard, for all digests or for the distinguished ones."""
    if task.distinguished_bits:
        return distinguished_records(task.sweeps, task.numbers, task.distinguished_bits, task.bits, task.backend)
    return row_records.split(measure_sweeps(task.sweeps, task.numbers, task.backend), task.bits)


def hash_sweeps_elsewhere(task: HashTask) -> tuple[int, list[bytes]]:
    """As `hash_sweeps`, with the number of rows in front, in a form that can be sent to another process."""
    pieces = hash_sweeps(replace(task, backend=task.backend.here()))
    return row_count(task.sweeps), [bytes(piece) for piece in pieces]


def sort_shard(task: SortTask) -> Columns:
    """Reduce: the records of a shard, sorted, by column."""
    return row_records.sorted_columns(task.records, task.digest_size, task.keying, shard=task.shard, bits=task.bits)


class Spill:
    """Records by shard, in files of a folder, until all rows are hashed. bits: of a shard's number."""

    def __init__(self, folder: Path, bits: int, digest_size: int) -> None:
        self._folder = folder
        self._record_size = digest_size + NUMBERS_SIZE
        self.digest_size = digest_size
        self.bits = bits
        self.clear()

    @property
    def rows(self) -> list[int]:
        """Rows of each shard."""
        return [shard.size // self._record_size for shard in self._shards]

    def add(self, pieces: Sequence[Buffer]) -> None:
        """Add records: one piece for each shard. Several threads may do so at once."""
        for shard, piece in zip(self._shards, pieces, strict=True):
            shard.append(memoryview(piece))

    def take(self, shard: int) -> Buffer:
        """All records of a shard, which are removed from the spill."""
        return self._shards[shard].take()

    def clear(self) -> None:
        """Remove all records."""
        if self._folder.exists():
            self.remove()
        self._folder.mkdir()
        held = min(max(_HELD >> self.bits, 1 << 16), 1 << 22)
        self._shards = [Appended(self._folder / str(number), held) for number in range(1 << self.bits)]

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder)


def hash_into(
    spill: Spill,
    sweeps: Sequence[VcpuSweep],
    numbers: Sequence[int],
    *,
    distinguished_bits: int,
    engine: Engine,
    backend: HashBackend,
    progress: Progress,
) -> None:
    """Hash the sweeps with these numbers into shards. distinguished_bits: 0 if every digest is kept."""
    groups = chunks(sweeps, numbers, compiled=backend.compiled)
    tasks = (HashTask(group, [sweeps[n] for n in group], spill.bits, backend, distinguished_bits) for group in groups)
    if engine.in_process:  # each thread writes what it hashed

        def hash_and_spill(task: HashTask) -> int:
            spill.add(hash_sweeps(task))
            return row_count(task.sweeps)

        with closing(engine.run(hash_and_spill, tasks)) as counts:
            for _, rows_done in counts:
                progress(rows_done)
        return
    with closing(engine.run(hash_sweeps_elsewhere, tasks)) as results:
        for _, (rows_done, pieces) in results:
            spill.add(pieces)
            progress(rows_done)


def sorted_shards(spill: Spill, keying: Keying, *, engine: Engine) -> Iterator[tuple[int, Columns]]:
    """The number and the sorted rows of each shard, in the order in which they finish."""

    def taken(shard: int) -> Buffer:
        """The records of a shard; as bytes for another process, because a view of memory cannot be sent."""
        records = spill.take(shard)
        return records if engine.in_process else bytes(records)

    shards = range(1 << spill.bits)
    tasks = (SortTask(shard, taken(shard), spill.digest_size, spill.bits, keying) for shard in shards)
    yield from engine.run(sort_shard, tasks)


def row_count(sweeps: Sequence[VcpuSweep]) -> int:
    """Number of rows of some sweeps: one for each vCPU count."""
    return sum(len(sweep.vcpus) for sweep in sweeps)


def first_ordinals(sweeps: Sequence[VcpuSweep], chain_length: int = 0) -> array[int]:
    """The ordinal of the first row of each sweep: rows are numbered sweep by sweep, by vCPU count.

    chain_length: ordinals of each sweep, for distinguished digests; 0: one for each of its rows.
    """
    ends = itertools.accumulate((chain_length or len(sweep.vcpus) for sweep in sweeps), initial=0)
    return array("Q", list(ends)[:-1])


def chunks(sweeps: Sequence[VcpuSweep], numbers: Sequence[int], *, compiled: bool) -> Iterator[Sequence[int]]:
    """Numbers of sweeps in groups, each with about as many steps as are hashed at once.

    Sweeps with the same vCPU counts are hashed side by side; those with the same VMSAs share pages that are made once.
    """
    numbers = sorted(numbers, key=lambda number: _hashed_alike(sweeps[number]))
    low, high = _CHUNK
    all_rows = sum(sweeps[number].vcpus[-1] or 1 for number in numbers)
    limit = min(max(low, all_rows // 512), high) if compiled else _CHUNK_IN_PYTHON
    start = taken = 0
    for at, number in enumerate(numbers):
        steps = sweeps[number].vcpus[-1] or 1
        if taken and taken + steps > limit:
            count = at - start
            end = at - count % SIDE_BY_SIDE if count > SIDE_BY_SIDE else at
            yield sorted(numbers[start:end])
            start, taken = end, sum(sweeps[left].vcpus[-1] or 1 for left in numbers[end:at])
        taken += steps
    if taken:
        yield sorted(numbers[start:])


def _hashed_alike(sweep: VcpuSweep) -> tuple[str | int, ...]:
    name = sweep.config.vmm.name if sweep.config.vmm else ""
    counts = sweep.vcpus[-1] or 0, len(sweep.vcpus)
    return *counts, name, *[value or 0 for value in sweep.config.sweep_axes()]
