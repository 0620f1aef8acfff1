"""The results of the tasks of a build on a cluster, and the names of the files that they wrote to the storage.

A result is what its reader needs to know of a file, and to check it: counts, hashes and seals.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from catalog.files.direct_io import ALIGNED
from catalog.store.manifest import FileEntry
from catalog.wire import Wire

SEAL_SIZE = 16
"""Bytes of a seal."""


class Hashed(Wire, frozen=True, tag="hashed"):
    """The file with the records of one piece: those of each shard are a run that begins at a multiple of ALIGNED.

    done: rows that were hashed.
    rows: of each run, u32 of this machine.
    seals: of each run.
    """

    technology: str
    number: int
    done: int
    rows: bytes
    seals: bytes


class Written(Wire, frozen=True, tag="written"):
    """The files of one shard: its part and the part's Merkle tree, if there are parts, and its slice of the index.

    files: entries for the manifest.
    pages: offset of each page of digests in the part.
    seals: of the slice, one for the buckets and one for the entries.
    """

    technology: str
    number: int
    rows: int
    files: dict[str, FileEntry]
    pages: list[int]
    seals: tuple[bytes, bytes]


Made = Hashed | Written


def piece_name(technology: str, number: int) -> str:
    """The file of a piece."""
    return f"{technology}-hashed-{number}"


def slice_name(technology: str, number: int) -> str:
    """The file with a shard's slice of the index: its buckets, then its entries."""
    return f"{technology}-slice-{number}"


def head_name(technology: str) -> str:
    """The file with the head of an index."""
    return f"{technology}-head"


def stored_name(name: str) -> str:
    """The file that becomes the file `name` of the catalog."""
    return name.replace("/", "-")


def run_places(rows: Sequence[int], record_size: int) -> list[int]:
    """Where the run of each shard begins in the file of a piece, and where the last one ends."""
    sizes = (-(-count * record_size // ALIGNED) * ALIGNED for count in rows)
    return list(itertools.accumulate(sizes, initial=0))
