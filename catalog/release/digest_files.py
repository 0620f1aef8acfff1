"""The files of launch digests of a catalog: for each technology its Parquet parts and its index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from catalog.launch.native.paths import Kernels
from catalog.launch.technology import technology_named
from catalog.release import generation, manifest
from catalog.release.digest_table import DigestTable
from catalog.release.engine import Engine
from catalog.release.enumeration import CrossProduct, Family, Progress
from catalog.release.index_writer import IndexWriter, Numbers, groups_of, keying_of
from catalog.release.manifest import FileEntry, TechnologyEntry
from catalog.release.rows import Columns
from catalog.release.spec import CatalogSpec

Files = dict[str, FileEntry]


def write_digests(
    folder: Path,
    spec: CatalogSpec,
    product: CrossProduct,
    numbers: Numbers,
    *,
    engine: Engine,
    writers: Engine,
    kernels: Kernels,
    begin: Callable[[str, int], Progress],
) -> tuple[dict[str, TechnologyEntry], Files]:
    """Write the launch digests of every technology of the spec; gives what the manifest says of them."""
    entries: dict[str, TechnologyEntry] = {}
    files: Files = {}
    hashed, written = begin("hashed", product.rows), begin("written", product.rows)
    for name in sorted(spec.axes):
        families = [family for family in product.families if family.technology == name]
        size = technology_named(name).digest_size
        (folder / name).mkdir()
        spill = generation.spilled(
            families, size, folder / f"{name}-spill", engine=engine, kernels=kernels, progress=hashed
        )
        one = _OneTechnology(folder, name, size, families, numbers, spill.rows)
        shards = generation.sorted_shards(spill, size, one.keying, engine=engine)
        for _, made in writers.run(one.write_part, shards):
            written(sum(entry.rows or 0 for entry in made.values()))
            files |= made
        spill.remove()
        files |= one.finish()
        entries[name] = TechnologyEntry(digest_size=size, rows=sum(spill.rows), parts=len(spill.rows))
    return entries, files


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
