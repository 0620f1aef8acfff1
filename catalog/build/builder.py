"""Builds a catalog: from a spec to the files of one folder, with the same bytes on every engine."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.build.component_files import write_components
from catalog.build.endorsed_files import write_endorsed
from catalog.build.measuring import measure_row
from catalog.errors import LdcatError, VerificationFailed
from catalog.files.folder import written_whole
from catalog.files.inputs import MAX_TEXT_SIZE, read_file
from catalog.launch.hashing.backends import HashBackend
from catalog.spec.catalog_spec import CatalogSpec
from catalog.spec.counting import MAX_ROWS, check_rows, count_rows
from catalog.spec.cross_product import CrossProduct, cross_product
from catalog.state.receipts import Receipts
from catalog.store import manifest
from catalog.store.manifest import LeftOutEntry, Manifest, parse_manifest
from catalog.version import __version__
from catalog.work.engine import Engine
from catalog.work.progress import StartProgress

if TYPE_CHECKING:  # it imports pyarrow
    from catalog.build.cluster.cluster_build import Cluster


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A finished build.

    folder: of the catalog.
    example: a launch digest of it, in hex, to look up; None if it has no row.
    reused: rows that were taken from the previous catalog.
    continued: pieces and shards of a build on a cluster that was interrupted, which were not made again.
    without_rows: builds without any launch digest, by name, with the main reason.
    """

    folder: Path
    manifest: Manifest
    example: str | None
    reused: int
    continued: int = 0
    without_rows: Mapping[str, str] = field(default_factory=dict)


def build_catalog(
    spec: CatalogSpec,
    folder: Path,
    *,
    engine: Engine,
    backend: HashBackend,
    receipts: Receipts,
    start_progress: StartProgress,
    max_rows: int = MAX_ROWS,
    cluster: Cluster | None = None,
) -> BuildResult:
    """Write the catalog of `spec` to `folder`, whole or not at all; a catalog there is replaced.

    receipts: catalogs that were built on this machine; if the replaced one is among them, its rows are reused.
    cluster: where the tasks of an engine with workers on a cluster write; rows are not reused then.

    Raises UsageError for more rows than `max_rows` and for a folder with other contents, DiskFull if the disk has too
    little space, Unreadable if the system refuses, VerificationFailed if a written file contradicts the data it is
    derived from.
    """
    counts = count_rows(spec)
    check_rows(counts.values(), max_rows)
    from catalog.build.disk_space import check_room, room_needed  # imports pyarrow: 150 ms, not needed in workers

    check_room(folder, room_needed(spec, counts))
    with (
        ExitStack() as finished,
        written_whole(folder, foreign=_foreign, kept=_databases, last=manifest.NAME) as partial,
    ):
        product = cross_product(spec)
        components, numbers = write_components(partial, spec, backend)
        files = components | write_endorsed(partial, spec)
        with ThreadPoolExecutor(engine.writers) as pool:
            writers = Engine(pool, engine.writers + 1, in_process=True)
            hashed, written = start_progress("hashed", product.rows), start_progress("written", product.rows)
            if cluster:
                from catalog.build.cluster import cluster_build

                storage, journal = finished.enter_context(cluster_build.begun(cluster, components))
                run = cluster_build.ClusterRun(storage, journal, engine, writers, backend, hashed, written)
                digests = cluster_build.write_with_cluster(partial, spec, product, numbers, run)
            else:
                from catalog.build.digest_files import BuildResources, write_digests

                resources = BuildResources(engine, writers, backend, receipts, hashed, written)
                digests = write_digests(partial, spec, product, numbers, folder, resources)
        made = Manifest(
            format=manifest.FORMAT,
            name=spec.name,
            generator=f"ldcat {__version__}",
            technologies=digests.technologies,
            files=files | digests.files,
            left_out=[
                LeftOutEntry(technology=o.technology, firmware=o.firmware, reason=o.reason, points=o.points)
                for o in product.left_out
            ],
        )
        (partial / manifest.NAME).write_bytes(made.to_json())
        _check(_Written(partial, made))
    receipts.keep(hashlib.sha256(made.to_json()).hexdigest())
    found = digests.reused, digests.continued, product.without_rows(spec.builds)
    return BuildResult(folder, made, _example(spec, product), *found)


@dataclass(frozen=True, slots=True)
class _Written:
    """The files of a catalog as they are on disk now."""

    folder: Path
    manifest: Manifest

    def verified(self, name: str) -> bytes:
        return read_file(self.folder / name, limit=self.manifest.files[name].size, regular=True)


def _check(written: _Written) -> None:
    """Raises VerificationFailed if a written component file contradicts the data it is derived from."""
    from catalog.store.components import Components
    from catalog.store.follows import faults

    for derived, fault in faults(Components(written)):
        raise VerificationFailed(
            f"{derived.file}, as it was written, contradicts the data it is derived from: {fault}",
            "nothing was replaced; build again: if the error stays, it is a defect of ldcat",
        )


def _example(spec: CatalogSpec, product: CrossProduct) -> str | None:
    """A digest that users are likely to see: of a build known to launch, under the profile with the most rows."""
    known = {
        (technology, build.component.key)
        for build in spec.builds
        for technology in spec.axes
        if build.launchability(technology).verdict == "yes"
    }
    own = [f for f in product.sweeps if not (f.config.vmm and f.config.vmm.wire.hosted)]
    sweeps = [f for f in own if (f.config.technology, f.config.key) in known] or product.sweeps
    rows = Counter[tuple[str, str]]()
    for sweep in sweeps:
        rows[sweep.config.technology, sweep.config.vmm.name if sweep.config.vmm else ""] += len(sweep.vcpus)
    if not rows:
        return None
    kind = max(rows, key=lambda kind: (rows[kind], kind))
    chosen = [f for f in sweeps if (f.config.technology, f.config.vmm.name if f.config.vmm else "") == kind][-1]
    return measure_row(chosen, chosen.vcpus[0]).hex()


def _databases(folder: Path) -> list[Path]:
    """DuckDB files that users keep in the catalog's folder: never published, and kept by a build."""
    found = [*folder.glob("*.duckdb"), *folder.glob("*.duckdb.wal")]
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def _foreign(folder: Path) -> str | None:
    """The name of a file in a folder that is not part of a catalog, or None. Only a catalog's folder is replaced."""
    found = {path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()} - {*_databases(folder)}
    if not found:
        return None
    try:
        listed = parse_manifest(read_file(folder / manifest.NAME, limit=MAX_TEXT_SIZE, regular=True)).files
    except LdcatError:
        return str(min(found).relative_to(folder))
    ours = {folder / name for name in (*listed, manifest.NAME)}
    return str(min(found - ours).relative_to(folder)) if found - ours else None
