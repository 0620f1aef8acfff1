"""Forged catalogs: files are changed, and every hash, hash tree and count over them is recomputed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.build.builder import BuildResult
from catalog.fast.index import GROUP, HEADER
from catalog.fast.names import Names, pack_names
from catalog.fast.verity import VerifiedBytes
from catalog.launch.hashing.backends import choose
from catalog.store import manifest

SEV = "sev/launch_digests.parquet"
Change = Callable[[Path], None]
Records = list[list[list[str | None]]]


def forged(built: BuildResult, folder: Path, changes: Mapping[str, Change], *, trees: bool = True) -> BuildResult:
    """changes: by file name; the manifest's own change is made last, to its JSON. trees: recompute hash trees."""
    shutil.copytree(built.folder, folder)
    text = json.loads((folder / manifest.NAME).read_bytes())
    for name, change in changes.items():
        if name == manifest.NAME:
            continue
        change(folder / name)
        if name not in text["files"]:  # a hard link to a listed file
            continue
        entry = manifest.file_entry(folder / name)
        text["files"][name] |= {"sha256": entry.sha256, "size": entry.size}
        if trees and "fsverity" in text["files"][name] and text["files"][name]["fsverity"]:
            made = manifest.verity_entries(folder, name, manifest.read_chunks(folder / name), choose())
            for other, of_tree in made.items():
                fields = {"sha256": of_tree.sha256, "size": of_tree.size, "fsverity": of_tree.fsverity}
                text["files"][other] |= fields
    path = folder / manifest.NAME
    path.write_text(json.dumps(text))
    if manifest.NAME in changes:
        changes[manifest.NAME](path)
    path.write_bytes(manifest.parse_manifest(path.read_bytes()).to_json())
    return BuildResult(folder, built.manifest, built.example, 0)


def in_names(kind: int, change: Callable[[list[str | None]], None]) -> Change:
    """Changes the first record of a kind in the file of names."""

    def changed(path: Path) -> None:
        names = Names(VerifiedBytes(path.read_bytes()))
        kinds: Records = [
            [list(names.record(of, number)) for number in range(count)] for of, count in enumerate(names.counts)
        ]
        change(kinds[kind][0])
        path.write_bytes(pack_names(kinds, names.version))

    return changed


def in_groups(change: Callable[[list[list[int]]], object]) -> Change:
    """Changes the groups of an index: first ordinal, firmware, kernel hashes, VMM and offsets of three lists."""

    def changed(path: Path) -> None:
        data = bytearray(path.read_bytes())
        fields = HEADER.unpack(data[: HEADER.size])
        begin, end = fields[9], fields[9] + GROUP.size * fields[8]
        groups = [list(group) for group in GROUP.iter_unpack(data[begin:end])]
        change(groups)
        data[begin:end] = b"".join(GROUP.pack(*group) for group in groups)
        path.write_bytes(data)

    return changed


def elsewhere(field: int) -> Change:
    """Every group gets the next other value of a field that occurs in the index, or one that none has."""

    def change(groups: list[list[int]]) -> None:
        values = sorted({group[field] for group in groups})
        values += [] if len(values) > 1 else [values[0] ^ 1]
        for group in groups:
            group[field] = values[(values.index(group[field]) + 1) % len(values)]

    return in_groups(change)


def in_rows(change: Callable[[dict[str, Any]], object], *, which: Callable[[dict[str, Any]], object] = bool) -> Change:
    """Changes the first matching row of a Parquet file."""

    def changed(path: Path) -> None:
        schema = pq.read_schema(path)
        rows = pq.read_table(path).to_pylist()
        change(next(row for row in rows if which(row)))
        write(path, rows, schema)

    return changed


def in_manifest(change: Callable[[dict[str, Any]], object]) -> Change:
    def changed(path: Path) -> None:
        text = json.loads(path.read_bytes())
        change(text)
        path.write_text(json.dumps(text))

    return changed


def replaced(old: str, new: str) -> Change:
    """Replaces text in a text file, which must contain the old text."""

    def changed(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return changed


def write(path: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    """Keeps the number of row groups, without the schema that Arrow stores."""
    pq.write_table(pa.Table.from_pylist(list(rows), schema), path, store_schema=False)


def one_digest(path: Path) -> None:
    """Overwrites a digest with zeros."""
    rows = pq.read_table(path).to_pylist()
    digest = next(row["launch_digest"] for row in rows if row["kernel_hashes_sha256"])
    path.write_bytes(path.read_bytes().replace(digest, bytes(len(digest))))


def another_column(name: str, value: object) -> Change:
    """Gives a column of the first row another value."""

    def change(path: Path) -> None:
        table = pq.read_table(path)
        values = table[name].to_pylist()
        column = pa.array([value, *values[1:]], table.schema.field(name).type)
        pq.write_table(table.set_column(table.schema.get_field_index(name), table.schema.field(name), column), path)

    return change


def without_rows(path: Path) -> None:
    pq.write_table(pq.read_table(path).slice(0, 0), path)


def another_profile(path: Path) -> None:
    path.write_text(path.read_text().replace("revision = ", "revision = 1"))
