"""A catalog made before anything was known in part: it opens, verifies, answers, and equals one of today."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalog.build.builder import BuildResult
from catalog.fast.names import VERSION
from catalog.fast.packed import PackedCatalog
from catalog.fast.plain_lookup import plain_lookup
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.component_names import component_names
from catalog.store.components import Components
from catalog.store.follows import all_faults
from tests.support.catalogs import compared, digest_by_kernel
from tests.support.cli import Run
from tests.support.forged_catalogs import forged


def without_new_columns(path: Path) -> None:
    table = pq.read_table(path).drop_columns(["snp_baseline", "firmware_version"])
    for name in ("sha256", "sha384", "size"):
        at = table.column_names.index(name)
        table = table.set_column(at, table.schema.field(name).with_nullable(False), table[name])
    pq.write_table(table, path, store_schema=False)


def with_firmware_always(path: Path) -> None:
    """Rows that say of their firmware that it is never null, in the same bytes for the digests."""
    table = pq.read_table(path)
    at = table.column_names.index("firmware_sha256")
    table = table.set_column(at, table.schema.field(at).with_nullable(False), table["firmware_sha256"])
    pq.write_table(table, path, store_schema=False, compression="NONE")


@pytest.fixture(scope="module")
def older(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    def names(path: Path) -> None:
        known: Components = Catalog.open(small.folder).components
        technologies = known.manifest.technologies
        parts = (known.builds, known.kernels, known.profiles.values(), known.vcpu_types, technologies)
        path.write_bytes(component_names(*parts, (), VERSION)[1])

    changes = {manifest.FIRMWARE: without_new_columns, manifest.NAMES: names}
    return forged(small, tmp_path_factory.mktemp("older") / "catalog", changes)


def test_it_has_no_faults(run: Run, older: BuildResult) -> None:
    assert list(all_faults(Catalog.open(older.folder).components)) == []
    assert run("audit", str(older.folder))[0] == 0


def test_it_answers_the_same_on_both_paths(run: Run, older: BuildResult) -> None:
    launch_digest = digest_by_kernel(older, "sev-snp", kernel=True)
    code, out, _ = run("lookup", launch_digest, "--catalog", str(older.folder))
    fast = plain_lookup([launch_digest, "--catalog", str(older.folder)])
    assert fast is not None
    assert (code, out) == (fast[2], fast[0])
    for name, kind in (("snp_baseline", "VARCHAR"), ("firmware_version", "VARCHAR")):
        query = f"SELECT DISTINCT typeof({name}) FROM firmware"
        assert run("sql", query, "--catalog", str(older.folder), "-f", "csv")[1].split()[-1] == kind


def test_it_does_not_differ_from_one_of_today(older: BuildResult, small: BuildResult) -> None:
    found, rows = compared(older, small)
    assert found.same
    assert rows == []


def test_rows_whose_firmware_is_never_null_are_read(small: BuildResult, tmp_path: Path) -> None:
    name = "sev/launch_digests.parquet"
    folder = forged(small, tmp_path / "older", {name: with_firmware_always}).folder
    assert not pq.read_schema(folder / name).field("firmware_sha256").nullable
    found, _ = compared(BuildResult(folder, small.manifest, None, 0), small)
    assert found.same


def test_a_component_of_an_older_file_of_names_is_an_image(older: BuildResult) -> None:
    packed = PackedCatalog(str(older.folder), hashlib.sha256)
    try:
        for index in packed.indexes.values():
            for group in index.groups():
                sha256, baseline, base = packed.identity(group)
                assert sha256 is not None
                assert (len(sha256), baseline, base) == (64, None, None)
    finally:
        packed.close()
