"""Writes the launch digests of a catalog: for each technology its Parquet parts and its index."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.build import generation
from catalog.build.digest_table import DigestTable
from catalog.build.distinguished import chain_length
from catalog.build.generation import Spill
from catalog.build.index_writer import IndexHead, IndexWriter, choose_keying, group_sweeps
from catalog.build.reuse import Previous
from catalog.build.written_digests import WrittenDigests
from catalog.errors import LdcatError
from catalog.fast.verity import DamagedBlock
from catalog.files import direct_io
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.technology import technology_named
from catalog.rows.launch_config import VcpuSweep
from catalog.spec.catalog_spec import CatalogSpec
from catalog.spec.cross_product import CrossProduct
from catalog.state.receipts import Receipts
from catalog.store import manifest
from catalog.store.component_names import Numbers
from catalog.store.manifest import FileEntry, TechnologyEntry
from catalog.store.row_records import Columns
from catalog.work.engine import Engine
from catalog.work.progress import Progress

Files = dict[str, FileEntry]


@dataclass(frozen=True, slots=True)
class BuildResources:
    """What a build runs on.

    engine: hashes and sorts.
    writers: threads of this process that write files.
    backend: hash backend.
    receipts: catalogs that were built on this machine.
    hashed, written: called with numbers of rows; reused rows count as hashed.
    """

    engine: Engine
    writers: Engine
    backend: HashBackend
    receipts: Receipts
    hashed: Progress
    written: Progress


def write_digests(
    folder: Path, spec: CatalogSpec, product: CrossProduct, numbers: Numbers, previous: Path, resources: BuildResources
) -> WrittenDigests:
    """Write the launch digests of every technology of the spec.

    previous: folder of the catalog that will be replaced, if there is one; its rows are reused.
    """
    done = WrittenDigests({}, {}, 0)
    for name, axes in sorted(spec.axes.items()):
        sweeps = [sweep for sweep in product.sweeps if sweep.config.technology == name]
        rows = generation.row_count(sweeps)
        (folder / name).mkdir(exist_ok=True)
        kept = (rows >> axes.distinguished_bits) + len(sweeps) if axes.distinguished_bits else rows
        bits = generation.shard_bits(kept)
        spill = Spill(folder / f"{name}-spill", bits, technology_named(name).digest_size)
        known = _fill(spill, name, sweeps, axes.distinguished_bits, previous, resources)
        if not axes.distinguished_bits and sum(spill.rows) != rows:
            raise LdcatError(f"{name} has {rows:,} rows, and {sum(spill.rows):,} were made")
        one = _OneTechnology(folder, name, sweeps, numbers, spill, axes.distinguished_bits, resources.backend)
        shards = generation.sorted_shards(spill, one.keying, engine=resources.engine)
        with closing(one), closing(resources.writers.run(one.write_shard, shards)) as results:
            for _, made in results:
                resources.written(sum(entry.rows or 0 for entry in made.values()))
                done.files.update(made)
        spill.remove()
        index = f"{name}/{manifest.INDEX}"
        done.files.update(
            manifest.verity_entries(folder, index, manifest.read_chunks(folder / index), resources.backend)
        )
        done.technologies[name] = TechnologyEntry(digest_size=spill.digest_size, rows=rows, parts=len(one.parts))
        done = replace(done, reused=done.reused + sum(len(sweeps[number].vcpus) for number in known))
    return done


def _fill(
    spill: Spill,
    name: str,
    sweeps: Sequence[VcpuSweep],
    distinguished_bits: int,
    previous: Path,
    resources: BuildResources,
) -> frozenset[int]:
    """Put all rows of the sweeps into the spill: reused from the previous catalog, or hashed.

    Gives the numbers of the sweeps that were reused.
    """
    known: frozenset[int] = frozenset()
    if not distinguished_bits:
        try:
            with closing(Previous(previous, name, sweeps, resources.backend, resources.receipts)) as taken:
                for pieces in taken.records(spill.bits):
                    spill.add(pieces)
                known = taken.numbers
        except DamagedBlock:  # no catalog, or one that cannot be used: everything is hashed
            spill.clear()
    resources.hashed(sum(spill.rows))
    missing = [number for number in range(len(sweeps)) if number not in known]
    generation.hash_into(
        spill,
        sweeps,
        missing,
        distinguished_bits=distinguished_bits,
        engine=resources.engine,
        backend=resources.backend,
        progress=resources.hashed,
    )
    return known


class _OneTechnology:
    """The index of one technology while it is written, and its Parquet parts if every digest is kept."""

    def __init__(
        self,
        folder: Path,
        name: str,
        sweeps: Sequence[VcpuSweep],
        numbers: Numbers,
        spill: Spill,
        distinguished_bits: int,
        backend: HashBackend,
    ) -> None:
        self._folder = folder
        self._kernels = backend
        self._buffer = direct_io.ScratchBuffer()
        length = chain_length(sweeps, distinguished_bits) if distinguished_bits else 0
        starts = generation.first_ordinals(sweeps, length)
        ordinals = length * len(sweeps) if length else generation.row_count(sweeps)
        self.keying = choose_keying(sum(spill.rows), starts, ordinals, spill.bits)
        self.parts = [] if distinguished_bits else manifest.part_names(name, len(spill.rows))
        self._table = None if distinguished_bits else DigestTable(name, spill.digest_size, sweeps)
        head = IndexHead(
            name,
            spill.digest_size,
            self.keying,
            list(group_sweeps(sweeps, starts, numbers)),
            spill.rows,
            distinguished_bits=distinguished_bits,
            chain_length=length,
        )
        self._index = IndexWriter(folder / name / manifest.INDEX, head, self.keying)

    def write_shard(self, sorted_shard: tuple[int, Columns]) -> Files:
        """Write the share of one shard in the index, and its part. Gives the manifest entries of the files."""
        shard, columns = sorted_shard
        if self._table is None:
            self._index.add(shard, columns, [])
            return {}
        part = self._table.part(columns, self._buffer)
        direct_io.write_file(self._folder / self.parts[shard], part.memory, part.size)
        self._index.add(shard, columns, part.pages)
        written = part.memory[: part.size]
        return manifest.verity_entries(
            self._folder, self.parts[shard], [written], self._kernels, rows=len(columns.sweeps)
        )

    def close(self) -> None:
        """Close the index."""
        self._index.close()
