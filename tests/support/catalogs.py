"""Catalogs that tests build, and their contents."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from catalog.abi.digest import LaunchDigest
from catalog.ask.lookup import lookup_in_parquet
from catalog.build.builder import BuildResult, build_catalog
from catalog.diff.diff import Diff, diff
from catalog.diff.row_changes import INPUTS
from catalog.launch.hashing.backends import HashBackend, choose
from catalog.spec.catalog_spec import load_spec
from catalog.state.receipts import Receipts
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.manifest import part_names
from catalog.work.engine import local_engine
from catalog.work.progress import Progress, StartProgress
from tests.support.samples import write_inputs, write_spec

Rows = dict[tuple[Any, ...], bytes]


def receipts_of(out: Path) -> Receipts:
    return Receipts(out.parent / "receipts")


def no_progress(what: str, rows: int) -> Progress:
    return lambda _: None


def build(
    spec: Path | None,
    out: Path,
    *,
    processes: int = 1,
    backend: HashBackend | None = None,
    start_progress: StartProgress = no_progress,
) -> BuildResult:
    chosen = backend or choose()
    with local_engine(processes, threads=chosen.compiled) as engine:
        return build_catalog(
            load_spec(spec),
            out,
            engine=engine,
            backend=chosen,
            receipts=receipts_of(out),
            start_progress=start_progress,
        )


def contents(folder: Path) -> dict[str, str]:
    """Every path below `folder` with the SHA-256 of its bytes, or "folder"."""
    return {
        str(path.relative_to(folder)): "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
    }


def made(folder: Path, spec: str) -> BuildResult:
    """The catalog of a spec over the files named in samples.SMALL."""
    return build(write_spec(write_inputs(folder / "inputs"), spec), folder / "catalog")


def compared(old: BuildResult, new: BuildResult) -> tuple[Diff, list[dict[str, Any]]]:
    """The differences of two catalogs, and their rows."""
    with diff(Catalog.open(old.folder), Catalog.open(new.folder), lambda _: None) as (found, rows):
        return found, list(rows)


def rows_of(built: BuildResult) -> Rows:
    """Launch digests by technology and inputs."""
    found: Rows = {}
    for technology, entry in built.manifest.technologies.items():
        for name in manifest.part_names(technology, entry.parts):
            for row in pq.read_table(built.folder / name).to_pylist():
                found[technology, *(row.get(column) for column in INPUTS)] = row["launch_digest"]
    return found


def all_digests(built: BuildResult) -> list[tuple[str, bytes]]:
    """All launch digests, with their technologies."""
    found = []
    for technology, entry in built.manifest.technologies.items():
        for name in part_names(technology, entry.parts):
            digests = pq.read_table(built.folder / name)["launch_digest"].to_pylist()
            found += [(technology, digest) for digest in digests]
    return found


def digest_of(built: BuildResult, technology: str = "sev-snp") -> str:
    """The launch digest of its first row."""
    return next(digest.hex() for name, digest in all_digests(built) if name == technology)


def digest_by_kernel(built: BuildResult, technology: str, *, kernel: bool) -> str:
    """A digest whose rows all have a kernel, or of which none has one."""
    catalog = Catalog.open(built.folder)
    for name, digest in all_digests(built):
        found = lookup_in_parquet(catalog, LaunchDigest(digest)) if name == technology else ()
        if found and {match.kernel_hashes is not None for match in found} == {kernel}:
            return digest.hex()
    raise AssertionError


def with_kernel(built: BuildResult) -> str:
    return digest_by_kernel(built, "sev-snp", kernel=True)


PLACES = {name: place for place, name in enumerate(("technology", *INPUTS))}
"""Where rows_of has each input."""


def digest_with(small: BuildResult, **wanted: Any) -> str:
    """The least launch digest of rows with these inputs."""
    return min(
        digest.hex()
        for inputs, digest in rows_of(small).items()
        if all(inputs[PLACES[name]] == value for name, value in wanted.items())
    )
