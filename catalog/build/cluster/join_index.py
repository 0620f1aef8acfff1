"""The last tasks of a build on a cluster: join the slices of an index, and check the files of an earlier run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from catalog.build.cluster.cluster_job import Job
from catalog.build.cluster.made_files import head_name, slice_name, stored_name
from catalog.fast import verity
from catalog.launch.hashing.backends import HashBackend
from catalog.store import manifest
from catalog.store.manifest import FileEntry, VerityHashes
from catalog.work.storage import Range, present

HEAD = -1
"""In place of a shard's number: the head of the index is lost."""

_AT_ONCE = 1 << 20
"""Bytes that are hashed and written at a time: whole fs-verity blocks."""


@dataclass(frozen=True, slots=True)
class JoinIndex:
    """An index to join from its head and from the slices of all shards.

    head: size and seal.
    buckets_size: bytes of the buckets of each shard.
    slices: of each shard the bytes of its entries, and its two seals.
    rows: of all shards.
    """

    job: Job
    technology: str
    head: tuple[int, bytes]
    buckets_size: int
    slices: Sequence[tuple[int, tuple[bytes, bytes]]]
    rows: int
    backend: HashBackend


@dataclass(frozen=True, slots=True)
class CheckFiles:
    """Files of an earlier run to check. files: entries by name in the catalog."""

    job: Job
    files: dict[str, FileEntry]


def join_index(task: JoinIndex) -> dict[str, FileEntry] | list[int]:
    """Write the index and its Merkle tree; gives their entries for the manifest.

    Or the numbers of the shards whose slices are not there, or not as they were written, if there are any.
    """
    name = f"{task.technology}/{manifest.INDEX}"
    lost: list[int] = []
    hashes = VerityHashes(task.backend.here())

    def chunks() -> Iterator[memoryview]:
        nonlocal hashes
        lost.clear()
        hashes = VerityHashes(task.backend.here())
        for chunk in _in_blocks(_index_bytes(task, lost)):
            hashes.add(chunk)
            yield chunk

    task.job.storage.put_chunks(stored_name(name), chunks)
    if lost:
        return lost
    entry, tree = hashes.finished()
    task.job.put(stored_name(name + verity.SUFFIX), tree)
    return {name: entry, name + verity.SUFFIX: manifest.bytes_entry(tree)}


def check_files(task: CheckFiles) -> bool:
    """Whether files are in the storage with the SHA-256 and the size of their entries."""
    for name, entry in task.files.items():
        whole = hashlib.sha256()
        for _, data in present(task.job.storage, file_ranges(stored_name(name), entry.size)):
            if data is None:
                return False
            whole.update(data)
        if whole.hexdigest() != entry.sha256:
            return False
    return True


def file_ranges(name: str, size: int) -> list[Range]:
    """A whole file, in ranges that are read one after the other. size: bytes."""
    return [(name, at, min(_AT_ONCE, size - at)) for at in range(0, size, _AT_ONCE)]


def _index_bytes(task: JoinIndex, lost: list[int]) -> Iterator[bytes | memoryview]:
    """The bytes of an index: its head, the buckets of all shards, the number of all rows, the entries of all shards."""
    size, seal = task.head
    head = head_name(task.technology)
    for _, data in present(task.job.storage, [(head, 0, size)]):
        if data is None or task.job.seal(head, data) != seal:
            lost.append(HEAD)
        else:
            yield data
    names = [slice_name(task.technology, number) for number in range(len(task.slices))]
    places = ((0, task.buckets_size, seals[0]) for _, seals in task.slices)
    yield from _sealed(task.job, "buckets", names, list(places), lost)
    yield task.rows.to_bytes(8, "little")
    places = ((task.buckets_size, size, seals[1]) for size, seals in task.slices)
    yield from _sealed(task.job, "entries", names, list(places), lost)


def _sealed(
    job: Job, what: str, names: Sequence[str], places: Sequence[tuple[int, int, bytes]], lost: list[int]
) -> Iterator[memoryview]:
    """A range of each slice. places: offset, size and seal of each."""
    wanted = [(name, offset, size) for name, (offset, size, _) in zip(names, places, strict=True)]
    for number, data in present(job.storage, wanted):
        if data is None or job.seal(f"{names[number]}/{what}", data) != places[number][2]:
            lost.append(number)
        else:
            yield data


def _in_blocks(pieces: Iterable[bytes | memoryview]) -> Iterator[memoryview]:
    """The same bytes in chunks of _AT_ONCE, but the last one."""
    held = bytearray()
    for piece in pieces:
        view = memoryview(piece)
        if held:
            missing = _AT_ONCE - len(held)
            held += view[:missing]
            view = view[missing:]
            if len(held) < _AT_ONCE:
                continue
            yield memoryview(bytes(held))
            held.clear()
        whole = len(view) - len(view) % _AT_ONCE
        for at in range(0, whole, _AT_ONCE):
            yield view[at : at + _AT_ONCE]
        held += view[whole:]
    if held:
        yield memoryview(held)
