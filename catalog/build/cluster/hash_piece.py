"""The first task of a build on a cluster: hash some sweeps, and write their records by shard."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from catalog.build import generation
from catalog.build.cluster.cluster_job import Job, opened
from catalog.build.cluster.made_files import Hashed, piece_name, run_places
from catalog.files.direct_io import ALIGNED, ScratchBuffer
from catalog.launch.hashing.backends import HashBackend
from catalog.store.row_records import Buffer

_file = ScratchBuffer()


@dataclass(frozen=True, slots=True)
class HashPiece:
    """A piece to hash. number: of the piece."""

    job: Job
    technology: str
    number: int
    backend: HashBackend


def hash_piece(task: HashPiece) -> Hashed:
    """Hash the sweeps of a piece, and write the file with their records."""
    one = opened(task.job)[task.technology]
    backend, bits, chunks = task.backend.here(), one.shard_bits, one.pieces[task.number]
    shards: list[list[Buffer]] = [[] for _ in range(1 << bits)]
    for chunk in chunks:
        sweeps = [one.sweeps[number] for number in chunk]
        made = generation.hash_sweeps(generation.HashTask(chunk, sweeps, bits, backend, one.distinguished_bits))
        for parts, part in zip(shards, made, strict=True):
            parts.append(part)
    rows = [sum(map(len, parts)) // one.record_size for parts in shards]
    places = run_places(rows, one.record_size)
    memory = _file.of(max(places[-1], ALIGNED))
    name, seals = piece_name(one.name, task.number), []
    for shard, parts in enumerate(shards):
        end = places[shard]
        for part in parts:
            memory[end : end + len(part)] = part
            end += len(part)
        seals.append(task.job.seal(f"{name}/{shard}", memory[places[shard] : end]))
    shards.clear()
    task.job.storage.put(name, memory, places[-1])
    done = generation.row_count([one.sweeps[number] for chunk in chunks for number in chunk])
    return Hashed(
        technology=one.name, number=task.number, done=done, rows=array("I", rows).tobytes(), seals=b"".join(seals)
    )
