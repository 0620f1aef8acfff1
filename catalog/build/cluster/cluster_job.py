"""What all tasks of a build on a cluster share: its storage, its sweeps, and the seal of what is written there.

The sweeps are in the storage once; each process of a worker loads them once. A task is a few numbers beside that.
"""

from __future__ import annotations

import hashlib
import pickle
import threading
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from operator import attrgetter
from typing import Any

from catalog.build import generation
from catalog.build.digest_table import DigestTable
from catalog.build.distinguished import chain_length
from catalog.errors import Unreadable, UsageError
from catalog.files.direct_io import ALIGNED, ScratchBuffer, keep_freed_memory
from catalog.launch.technology import technology_named
from catalog.rows.launch_config import LaunchConfig, VcpuSweep
from catalog.store.row_records import NUMBERS_SIZE, Buffer
from catalog.version import __version__
from catalog.work.storage import Gone, Storage

SWEEPS = "sweeps"
"""Name of the file with the sweeps of all technologies."""

_ENOUGH_PIECES = 16
"""Pieces of a technology that are enough to share among some workers. Each is a file that every shard is read from."""

_MOST_CHUNKS = 8
"""Most chunks in a piece, which is in memory as a whole: eight chunks of a large build have 450 MiB of records."""


@dataclass(frozen=True, slots=True)
class Job:
    """One build on a cluster. It is sent with each task.

    storage: of this build alone.
    key: secret of the seals, 32 bytes; whoever writes to the storage does not know it.
    sweeps_size, sweeps_seal: of the file with the sweeps.
    version: of ldcat.
    """

    storage: Storage
    key: bytes = field(repr=False)
    sweeps_size: int
    sweeps_seal: bytes
    version: str = __version__

    def seal(self, what: str, data: bytes | bytearray | memoryview) -> bytes:
        """16 bytes that authenticate data under a name, by AES-GMAC. what: a name that no other data of this job has.

        The seals of all that is written go through the scheduler to those who read it. Thirty times as fast as
        SHA-256. Source: NIST SP 800-38D, with a nonce made from the name.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = hashlib.sha256(what.encode("ascii")).digest()[:12]
        return AESGCM(self.key).encrypt(nonce, b"", data)

    def put(self, name: str, *parts: Buffer) -> None:
        """Write a file with these bytes to the storage."""
        size = sum(map(len, parts))
        memory = _file.of(max(-(-size // ALIGNED) * ALIGNED, ALIGNED))
        end = 0
        for part in parts:
            memory[end : end + len(part)] = part
            end += len(part)
        self.storage.put(name, memory, size)


class TechnologyJob:
    """The sweeps of one technology, and what follows from them.

    distinguished_bits: 0 if every digest is kept.
    """

    def __init__(self, name: str, sweeps: Sequence[VcpuSweep], distinguished_bits: int) -> None:
        self.name = name
        self.sweeps = sweeps
        self.distinguished_bits = distinguished_bits
        self.rows = generation.row_count(sweeps)
        kept = (self.rows >> distinguished_bits) + len(sweeps) if distinguished_bits else self.rows
        self.digest_size = technology_named(name).digest_size
        self.record_size = self.digest_size + NUMBERS_SIZE
        self.shard_bits = generation.shard_bits(kept)
        self.chain_length = chain_length(sweeps, distinguished_bits) if distinguished_bits else 0

    @cached_property
    def starts(self) -> array[int]:
        """The ordinal of the first row of each sweep."""
        return generation.first_ordinals(self.sweeps, self.chain_length)

    @cached_property
    def table(self) -> DigestTable:
        """The values of the columns of each sweep."""
        return DigestTable(self.name, self.digest_size, self.sweeps)

    @cached_property
    def pieces(self) -> list[list[Sequence[int]]]:
        """The numbers of the sweeps that are hashed in one task, in chunks that are hashed at once."""
        chunks = list(generation.chunks(self.sweeps, range(len(self.sweeps)), compiled=True))
        each = min(max(1, -(-len(chunks) // _ENOUGH_PIECES)), _MOST_CHUNKS)
        return [chunks[at : at + each] for at in range(0, len(chunks), each)]


def put_sweeps(storage: Storage, technologies: Mapping[str, TechnologyJob], key: bytes) -> Job:
    """Write the file with the sweeps; gives the job."""
    packed = {name: (_packed(one.sweeps), one.distinguished_bits) for name, one in technologies.items()}
    data = pickle.dumps(packed)
    job = Job(storage, key, len(data), b"")
    job.put(SWEEPS, data)
    return replace(job, sweeps_seal=job.seal(SWEEPS, data))


_file = ScratchBuffer()
_lock = threading.Lock()
_last: tuple[Job, Mapping[str, TechnologyJob]] | None = None


def opened(job: Job) -> Mapping[str, TechnologyJob]:
    """The technologies of a job, which this process keeps until it gets a task of another one.

    Raises UsageError for a job of another version of ldcat, Unreadable if its sweeps are not in the storage as this
    worker sees it.
    """
    global _last
    with _lock:
        if _last is None or _last[0] != job:
            _last = None  # the old one may be large
            _last = (job, _loaded(job))
        return _last[1]


def _loaded(job: Job) -> Mapping[str, TechnologyJob]:
    if job.version != __version__:
        raise UsageError(f"a worker has ldcat {__version__}, and the build is of {job.version}")
    keep_freed_memory()
    try:
        data = next(job.storage.ranges([(SWEEPS, 0, job.sweeps_size)]))
    except Gone as error:
        raise Unreadable(
            f"a worker does not find {error}", "all workers need the storage that --storage names"
        ) from error
    if job.seal(SWEEPS, data) != job.sweeps_seal:
        raise Unreadable(f"{job.storage}/{SWEEPS} is not what was written there", "build again to go on")
    packed = pickle.loads(data)  # noqa: S301 - the seal says that the process which started the build wrote it
    return {name: TechnologyJob(name, _unpacked(sweeps), bits) for name, (sweeps, bits) in packed.items()}


_CONFIG = [field.name for field in fields(LaunchConfig)]


def _packed(sweeps: Sequence[VcpuSweep]) -> list[tuple[Any, ...]]:
    """The values of sweeps: pickle calls Python code for each dataclass, which takes ten times as long."""
    values = attrgetter("vcpus", *[f"config.{name}" for name in _CONFIG])
    return list(map(values, sweeps))


def _unpacked(packed: Sequence[tuple[Any, ...]]) -> list[VcpuSweep]:
    return [VcpuSweep(LaunchConfig(*values), counts) for counts, *values in packed]
