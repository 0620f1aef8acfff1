"""The files of launch digests of a catalog: for each technology its Parquet parts and its index."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.launch.native.paths import Kernels
from catalog.launch.technology import technology_named
from catalog.release import generation, manifest
from catalog.release.digest_table import DigestTable
from catalog.release.engine import Engine
from catalog.release.enumeration import CrossProduct, Family, Progress
from catalog.release.generation import Spill
from catalog.release.index_writer import IndexWriter, Numbers, groups_of, keying_of
from catalog.release.manifest import FileEntry, TechnologyEntry
from catalog.release.reuse import Previous
from catalog.release.rows import Columns
from catalog.release.spec import CatalogSpec
from catalog.release.verity import DamagedBlock

Files = dict[str, FileEntry]


@dataclass(frozen=True, slots=True)
class Means:
    """What a build is done with. engine: hashes and sorts. writers: threads of this process that write.

    hashed, written: called with numbers of rows; rows that are reused count as hashed.
    """

    engine: Engine
    writers: Engine
    kernels: Kernels
    hashed: Progress
    written: Progress


@dataclass(frozen=True, slots=True)
class Written:
    """What the manifest says of the digest files. reused: rows that the previous catalog had."""

    technologies: dict[str, TechnologyEntry]
    files: dict[str, FileEntry]
    reused: int


def write_digests(
    folder: Path, spec: CatalogSpec, product: CrossProduct, numbers: Numbers, previous: Path, means: Means
) -> Written:
    """Write the launch digests of every technology of the spec.

    previous: the catalog that stands where this one will be, if there is one; rows it has are taken from it.
    """
    done = Written({}, {}, 0)
    for name in sorted(spec.axes):
        families = [family for family in product.families if family.technology == name]
        size = technology_named(name).digest_size
        (folder / name).mkdir()
        bits = generation.shard_bits(generation.row_count(families))
        spill = Spill(folder / f"{name}-spill", bits, size)
        known = _fill(spill, name, families, previous, means)
        one = _OneTechnology(folder, name, size, families, numbers, spill.rows)
        for _, made in means.writers.run(
            one.write_part, generation.sorted_shards(spill, one.keying, engine=means.engine)
        ):
            means.written(sum(entry.rows or 0 for entry in made.values()))
            done.files.update(made)
        spill.remove()
        done.files.update(one.finish())
        done.technologies[name] = TechnologyEntry(digest_size=size, rows=sum(spill.rows), parts=len(spill.rows))
        done = replace(done, reused=done.reused + sum(len(families[number].vcpus) for number in known))
    return done


def _fill(spill: Spill, name: str, families: Sequence[Family], previous: Path, means: Means) -> frozenset[int]:
    """All rows of the families: those that the previous catalog has, whose numbers are given, and the others hashed."""
    try:
        with closing(Previous(previous, name, families, means.kernels)) as taken:
            known = taken.numbers
            for pieces in taken.records(spill.bits):
                spill.add(pieces)
    except DamagedBlock:  # nothing there, or nothing that can be used: then everything is hashed
        spill.clear()
        known = frozenset()
    means.hashed(sum(spill.rows))
    missing = [number for number in range(len(families)) if number not in known]
    generation.hash_into(spill, families, missing, engine=means.engine, kernels=means.kernels, progress=means.hashed)
    return known


class _OneTechnology:
    """The parts and the index of one technology while they are written."""

    def __init__(
        self,
        folder: Path,
        name: str,
        digest_size: int,
        families: Sequence[Family],
        numbers: Numbers,
        shard_rows: Sequence[int],
    ) -> None:
        self._folder = folder
        self._names = manifest.part_names(name, len(shard_rows))
        self._index_name = f"{name}/{manifest.INDEX}"
        starts = generation.starts_of(families)
        self.keying = keying_of(sum(shard_rows), starts, (len(shard_rows) - 1).bit_length())
        groups = list(groups_of(families, starts, numbers))
        self._index = IndexWriter(folder / self._index_name, name, digest_size, self.keying, groups, shard_rows)
        self._table = DigestTable(name, digest_size, families)

    def write_part(self, sorted_shard: tuple[int, Columns]) -> Files:
        """Write one part and its share of the index; gives the files' entries."""
        shard, columns = sorted_shard
        pages = self._table.write(columns, self._folder / self._names[shard])
        self._index.add(shard, columns, pages)
        return manifest.verity_entries(self._folder, self._names[shard], len(columns.families))

    def finish(self) -> Files:
        """Close the index; gives its files' entries."""
        self._index.close()
        return manifest.verity_entries(self._folder, self._index_name)
