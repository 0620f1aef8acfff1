"""Writes the launch digests of a catalog with a cluster, and continues a build that was interrupted.

Workers hash pieces, write the part of each shard, and join the index. This process hands out numbers, keeps the
results in a journal, and links or copies the finished files into the catalog.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from catalog.build.cluster.build_journal import Journal, open_journal
from catalog.build.cluster.cluster_job import Job, TechnologyJob, put_sweeps
from catalog.build.cluster.hash_piece import HashPiece, hash_piece
from catalog.build.cluster.join_index import CheckFiles, JoinIndex, check_files, file_ranges, join_index
from catalog.build.cluster.made_files import SEAL_SIZE, Hashed, Written, head_name, run_places, stored_name
from catalog.build.cluster.write_shard import WriteShard, write_shard
from catalog.build.index_writer import IndexHead, choose_keying, group_sweeps, packed_rows
from catalog.build.written_digests import WrittenDigests
from catalog.errors import LdcatError, Unreadable, VerificationFailed
from catalog.files.outputs import write_verified
from catalog.launch.hashing.backends import HashBackend
from catalog.spec.catalog_spec import CatalogSpec
from catalog.spec.cross_product import CrossProduct
from catalog.store import manifest
from catalog.store.component_names import Numbers
from catalog.store.manifest import FileEntry, TechnologyEntry
from catalog.store.row_records import Keying
from catalog.version import __version__
from catalog.work.engine import Engine
from catalog.work.progress import Progress
from catalog.work.storage import Gone, Storage

_TRIES = 3
"""How often files that the storage lost are made again."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a build on a cluster needs beside an engine.

    storage: that the workers and this process share.
    journals: folder of this machine; None if a build that is interrupted cannot go on.
    """

    storage: Storage
    journals: Path | None


@dataclass(frozen=True, slots=True)
class ClusterRun:
    """A build on a cluster that has begun. storage: of this build alone; the rest is as in BuildResources."""

    storage: Storage
    journal: Journal
    engine: Engine
    writers: Engine
    backend: HashBackend
    hashed: Progress
    written: Progress


@contextmanager
def begun(cluster: Cluster, components: Mapping[str, FileEntry]) -> Iterator[tuple[Storage, Journal]]:
    """The storage and the journal of a build; both are removed at the end, unless there was an error.

    components: the files that the launch digests follow from. With the versions that write the rest they name the
    build. Raises as `open_journal`.
    """
    versions = f"{__version__} {pa.__version__} {cluster.storage}\n"
    files = "".join(f"{name} {entry.sha256}\n" for name, entry in sorted(components.items()))
    name = f"ldcat-{hashlib.sha256((versions + files).encode()).hexdigest()[:32]}"
    with open_journal(cluster.journals, name) as journal:
        storage = cluster.storage.below(name)
        yield storage, journal
        storage.remove()


def write_with_cluster(
    folder: Path, spec: CatalogSpec, product: CrossProduct, numbers: Numbers, run: ClusterRun
) -> WrittenDigests:
    """Write the launch digests of every technology of the spec.

    Raises Unreadable or DiskFull if the storage fails, LdcatError if workers contradict each other.
    """
    technologies: dict[str, TechnologyJob] = {}
    for name, axes in sorted(spec.axes.items()):
        sweeps = [sweep for sweep in product.sweeps if sweep.config.technology == name]
        technologies[name] = TechnologyJob(name, sweeps, axes.distinguished_bits)
    job = put_sweeps(run.storage, technologies, run.journal.key)
    entries, files, continued = {}, dict[str, FileEntry](), 0
    for name, one in technologies.items():
        (folder / name).mkdir(exist_ok=True)
        building = _OneTechnology(folder, one, numbers, job, run)
        files |= building.write()
        continued += building.continued
        entries[name] = TechnologyEntry(digest_size=one.digest_size, rows=one.rows, parts=len(building.parts))
    return WrittenDigests(entries, files, reused=0, continued=continued)


class _OneTechnology:
    """The launch digests of one technology while they are written."""

    def __init__(self, folder: Path, one: TechnologyJob, numbers: Numbers, job: Job, run: ClusterRun) -> None:
        self._folder, self._one, self._numbers, self._job, self._run = folder, one, numbers, job, run
        self._shards = 1 << one.shard_bits
        self.parts = [] if one.distinguished_bits else manifest.part_names(one.name, self._shards)
        made = [made for made in run.journal.made if made.technology == one.name]
        self._hashed = {each.number: each for each in made if isinstance(each, Hashed)}
        self._written = {each.number: each for each in made if isinstance(each, Written)}
        self._there: set[int] = set()
        self.continued = 0
        run.hashed(sum(each.done for each in self._hashed.values()))

    def write(self) -> dict[str, FileEntry]:
        """Write everything; gives the entries of the files. What the storage lost is made again, a few times."""
        self._check_earlier()
        self.continued = len(self._hashed) + len(self._written)
        for _ in range(_TRIES):
            self._hash()
            keying, head = self._layout()
            with closing(self._run.writers.run(self._fetch, self._shards_made(keying, head.firsts))) as results:
                for _, made in results:
                    if made is None:
                        continue
                    if made.number not in self._there:
                        self._run.written(made.rows)
                    self._there.add(made.number)
            if len(self._written) == self._shards and (index := self._join(keying, head)):
                files = (made.files for made in self._written.values())
                return {name: entry for entries in (*files, index) for name, entry in entries.items()}
        raise Unreadable(
            f"{self._job.storage} does not keep what was written there", "build again to go on, or name other storage"
        )

    def _check_earlier(self) -> None:
        """Forget the shards of an earlier run whose files are not as they were written."""
        earlier = list(self._written.values())
        tasks = (CheckFiles(self._job, made.files) for made in earlier)
        with closing(self._run.engine.run(check_files, tasks)) as results:
            for at, sound in results:
                if not sound:
                    del self._written[earlier[at].number]

    def _hash(self) -> None:
        """Have the pieces hashed that are not yet."""
        one, run = self._one, self._run
        missing = [number for number in range(len(one.pieces)) if number not in self._hashed]
        tasks = (HashPiece(self._job, one.name, number, run.backend) for number in missing)
        with closing(run.engine.run(hash_piece, tasks)) as results:
            for _, made in results:
                self._hashed[made.number] = made
                run.journal.add(made)
                run.hashed(made.done)
        if (done := sum(made.done for made in self._hashed.values())) != one.rows:
            raise LdcatError(f"{one.name} has {one.rows:,} rows, and {done:,} were made")

    def _runs(self) -> list[memoryview]:
        """For each piece, how many rows of each shard it has."""
        return [memoryview(self._hashed[number].rows).cast("I") for number in range(len(self._one.pieces))]

    def _layout(self) -> tuple[Keying, IndexHead]:
        """How the index packs rows, and its head."""
        one = self._one
        shard_rows = [sum(counts) for counts in zip(*self._runs(), strict=True)] or [0] * self._shards
        if not one.distinguished_bits and sum(shard_rows) != one.rows:
            raise LdcatError(f"{one.name} has {one.rows:,} rows, and {sum(shard_rows):,} were written")
        ordinals = one.chain_length * len(one.sweeps) or one.rows
        keying = choose_keying(sum(shard_rows), one.starts, ordinals, one.shard_bits)
        groups = list(group_sweeps(one.sweeps, one.starts, self._numbers))
        bits, length = one.distinguished_bits, one.chain_length
        head = IndexHead(
            one.name, one.digest_size, keying, groups, shard_rows, distinguished_bits=bits, chain_length=length
        )
        return keying, head

    def _shards_made(self, keying: Keying, firsts: Sequence[int]) -> Iterator[Written]:
        """Every shard, as soon as its files are in the storage. Pieces of which runs are lost are forgotten."""
        yield from list(self._written.values())
        missing = [number for number in range(self._shards) if number not in self._written]
        with closing(self._run.engine.run(write_shard, self._shard_tasks(missing, keying, firsts))) as results:
            for _, made in results:
                if isinstance(made, Written):
                    self._written[made.number] = made
                    self._run.journal.add(made)
                    yield made
                else:
                    for piece in made:
                        self._hashed.pop(piece, None)

    def _shard_tasks(self, numbers: Sequence[int], keying: Keying, firsts: Sequence[int]) -> Iterator[WriteShard]:
        one, runs = self._one, self._runs()
        seals = [self._hashed[number].seals for number in range(len(runs))]
        places = [array("Q", run_places(run, one.record_size)) for run in runs]
        for number in numbers:
            at = SEAL_SIZE * number
            yield WriteShard(
                self._job,
                one.name,
                number,
                keying=(keying.bucket_bits, keying.ordinal_bits, keying.entry_size),
                part=self.parts[number] if self.parts else "",
                first=firsts[number],
                offsets=array("Q", [place[number] for place in places]).tobytes(),
                rows=array("I", [run[number] for run in runs]).tobytes(),
                seals=b"".join([seal[at : at + SEAL_SIZE] for seal in seals]),
                backend=self._run.backend,
            )

    def _fetch(self, made: Written) -> Written | None:
        """Bring the files of a shard into the catalog. None, and it is forgotten, if they differ from what it says."""
        if made.number not in self._there and not self._fetched(made.files):
            self._written.pop(made.number)
            return None
        return made

    def _fetched(self, files: Mapping[str, FileEntry]) -> bool:
        """Link files into the catalog, or copy and verify them; false if that cannot be done with the right bytes.

        A linked file is not read here: its hashes are those of the memory from which it was written, as in a build
        without a cluster.
        """
        for name, entry in files.items():
            path, stored = self._folder / name, stored_name(name)
            path.unlink(missing_ok=True)
            try:
                if self._job.storage.linked(stored, path):
                    if path.lstat().st_size != entry.size:
                        return False
                else:
                    chunks = self._job.storage.ranges(file_ranges(stored, entry.size))
                    write_verified(path, chunks, size=entry.size, sha256=entry.sha256)
            except (Gone, VerificationFailed):
                return False
        return True

    def _join(self, keying: Keying, head: IndexHead) -> dict[str, FileEntry] | None:
        """Have the index written, and bring it into the catalog. None, and they are forgotten, if slices are lost."""
        one, job = self._one, self._job
        shards = [self._written[number] for number in range(self._shards)]
        data = head.data + packed_rows([page for made in shards for page in made.pages])
        name = head_name(one.name)
        job.put(name, data)
        slices = [(made.rows * keying.entry_size, made.seals) for made in shards]
        buckets_size = 8 << (keying.bucket_bits - one.shard_bits)
        task = JoinIndex(
            job, one.name, (len(data), job.seal(name, data)), buckets_size, slices, head.firsts[-1], self._run.backend
        )
        with closing(self._run.engine.run(join_index, [task])) as results:
            for _, made in results:
                if isinstance(made, dict):
                    return made if self._fetched(made) else None
                for number in made:
                    self._written.pop(number, None)
        return None
