"""The second task of a build on a cluster: sort the rows of a shard, and write its part and its slice of the index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.build.cluster.cluster_job import Job, TechnologyJob, opened
from catalog.build.cluster.made_files import SEAL_SIZE, Written, piece_name, slice_name, stored_name
from catalog.build.index_writer import packed_buckets
from catalog.fast import verity
from catalog.files.direct_io import ScratchBuffer
from catalog.launch.hashing.backends import HashBackend
from catalog.store import manifest, row_records
from catalog.store.manifest import FileEntry, VerityHashes
from catalog.store.row_records import Columns, Keying
from catalog.work.storage import present

_records, _part = ScratchBuffer(), ScratchBuffer()


@dataclass(frozen=True, slots=True)
class WriteShard:
    """A shard to write, when all pieces are hashed.

    keying: bits of a bucket's number, bits of an ordinal, bytes of an entry.
    part: name of its file in the catalog; empty if there are none.
    first: number of its first row among all rows.
    offsets, rows, seals: of its run in the file of each piece, u64 and u32 of this machine.
    """

    job: Job
    technology: str
    number: int
    keying: tuple[int, int, int]
    part: str
    first: int
    offsets: bytes
    rows: bytes
    seals: bytes
    backend: HashBackend


def write_shard(task: WriteShard) -> Written | list[int]:
    """Write the files of a shard.

    Gives the numbers of the pieces whose runs are not there, or not as they were written, if there are any.
    """
    one = opened(task.job)[task.technology]
    lost: list[int] = []
    records = _read_runs(task, one.record_size, lost)
    if lost:
        return lost
    keying = Keying(one.starts, *task.keying)
    columns = row_records.sorted_columns(records, one.digest_size, keying, shard=task.number, bits=one.shard_bits)
    files: dict[str, FileEntry] = {}
    pages: Sequence[int] = []
    if task.part:
        files, pages = _write_part(task, one, columns)
    name, buckets = slice_name(one.name, task.number), packed_buckets(columns, task.first)
    task.job.put(name, buckets, columns.entries)
    return Written(
        technology=one.name,
        number=task.number,
        rows=len(columns.sweeps),
        files=files,
        pages=list(pages),
        seals=(task.job.seal(f"{name}/buckets", buckets), task.job.seal(f"{name}/entries", columns.entries)),
    )


def _read_runs(task: WriteShard, record_size: int, lost: list[int]) -> memoryview:
    """All records of a shard. lost: is filled with the numbers of the pieces whose runs are lost."""
    rows, offsets = memoryview(task.rows).cast("I"), memoryview(task.offsets).cast("Q")
    records = _records.of(max(sum(rows) * record_size, 1))
    names = [piece_name(task.technology, piece) for piece in range(len(rows))]
    wanted = [(name, offset, count * record_size) for name, offset, count in zip(names, offsets, rows, strict=True)]
    end = 0
    for piece, run in present(task.job.storage, wanted):
        seal = task.seals[piece * SEAL_SIZE : (piece + 1) * SEAL_SIZE]
        if run is None or task.job.seal(f"{names[piece]}/{task.number}", run) != seal:
            lost.append(piece)
        else:
            records[end : end + len(run)] = run
            end += len(run)
    return records[:end]


def _write_part(task: WriteShard, one: TechnologyJob, columns: Columns) -> tuple[dict[str, FileEntry], Sequence[int]]:
    """The entries of a part and its tree for the manifest, and the offsets of its pages of digests."""
    part = one.table.part(columns, _part)
    hashes = VerityHashes(task.backend.here())
    hashes.add(part.memory[: part.size])
    entry, tree = hashes.finished(rows=len(columns.sweeps))
    beside = task.part + verity.SUFFIX
    task.job.storage.put(stored_name(task.part), part.memory, part.size)
    task.job.put(stored_name(beside), tree)
    return {task.part: entry, beside: manifest.bytes_entry(tree)}, part.pages
