"""The component tables: hash columns have one type, so that files can be joined; older catalogs can still be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.build.builder import BuildResult
from catalog.errors import MalformedRecord
from catalog.firmware.kernel_record import KernelRecord
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.component_tables import SCHEMAS, read_rows
from tests.support.catalogs import build
from tests.support.forged_catalogs import Change, forged, in_rows
from tests.support.samples import write_spec

TABLES = (manifest.FIRMWARE, manifest.KERNEL_HASHES)
SPEC = """
name = "kernels"
firmware = { builds = ["sid/ovmf-amdsev/OVMF.amdsev.fd"] }
kernel_hashes = { tables = ["none", "debian-12-installer-text", "debian-12-cloud-6.1.0-50"] }
technologies = { sev = {} }
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    folder = tmp_path_factory.mktemp("kernels")
    return build(write_spec(folder, SPEC), folder / "catalog")


def older(name: str) -> Change:
    """Writes a table with the older types: fixed-length hashes, and those of kernel packages as text."""

    def changed(path: Path) -> None:
        table = pq.read_table(path)
        for number, field in enumerate(table.schema):
            column: Any = table[field.name]
            if field.name in ("kernel_package_sha256", "initrd_package_sha256"):
                column = pa.array([value and value.hex() for value in column.to_pylist()], pa.string())
            elif field.type == pa.binary():
                column = column.cast(pa.binary(48 if field.name in ("sha384", "snp_baseline") else 32))
            table = table.set_column(number, field.with_type(column.type), column)
        assert not table.schema.equals(SCHEMAS[name])
        pq.write_table(table, path, store_schema=False)

    return changed


def test_every_hash_column_of_every_file_has_one_type(small: BuildResult) -> None:
    kinds = {
        (path.parent.name, field.name): field.type
        for path in small.folder.rglob("*.parquet")
        for field in pq.read_schema(path)
        if "sha256" in field.name or "sha384" in field.name or "digest" in field.name
    }
    digests = {folder: kind for (folder, name), kind in kinds.items() if name == "launch_digest"}
    assert digests == {"sev": pa.binary(32), "sev-es": pa.binary(32), "sev-snp": pa.binary(48)}
    assert {kind for (_, name), kind in kinds.items() if name != "launch_digest"} == {pa.binary()}


def test_the_files_of_a_catalog_join_in_arrow(small: BuildResult) -> None:
    rows = pq.read_table(small.folder / "sev" / "launch_digests.parquet")
    firmware = pq.read_table(small.folder / manifest.FIRMWARE).select(["sha256", "name"])
    kernels = pq.read_table(small.folder / manifest.KERNEL_HASHES).select(["table_sha256", "append"])
    joined = rows.join(firmware, "firmware_sha256", "sha256").join(kernels, "kernel_hashes_sha256", "table_sha256")
    assert set(joined["name"].to_pylist()) == {"whole.fd", "twin.fd", "bare.fd"}
    assert set(joined["append"].to_pylist()) == {None, "quiet nr_cpus=2"}


def test_a_catalog_with_the_older_types_is_read_the_same_way(built: BuildResult, tmp_path: Path) -> None:
    folder = forged(built, tmp_path / "older", {name: older(name) for name in TABLES}).folder
    was, now = Catalog.open(folder), Catalog.open(built.folder)
    was.verify()
    assert was.kernel_hashes == now.kernel_hashes
    assert was.firmware == now.firmware
    assert [kernel.wire for kernel in was.components.kernels] == [kernel.wire for kernel in now.components.kernels]
    named = {kernel.name: kernel.wire for kernel in now.components.kernels}["debian-12-installer-text"]
    assert named.initrd
    assert named.initrd.package_sha256 == named.kernel.package_sha256
    assert named.kernel.package_sha256 == "499e4609976bfd47c1b3025382fb5dddeb023350921142b919c89c4d24bd7f9b"


@pytest.mark.parametrize(
    ("file", "column", "value"),
    [
        (manifest.FIRMWARE, "sha384", bytes(32)),
        (manifest.FIRMWARE, "package_sha256", b""),
        (manifest.KERNEL_HASHES, "initrd_sha256", bytes(31)),
        (manifest.KERNEL_HASHES, "kernel_package_sha256", bytes(33)),
    ],
)
def test_a_hash_of_another_length_is_refused(
    built: BuildResult, tmp_path: Path, file: str, column: str, value: bytes
) -> None:
    folder = forged(built, tmp_path / "short", {file: in_rows(lambda row: row.update({column: value}))}).folder
    with pytest.raises(MalformedRecord, match=f"{file}: {column}: a hash of {len(value)} bytes"):
        Catalog.open(folder).verify()


def test_text_that_is_no_hash_is_refused_in_an_older_catalog(built: BuildResult, tmp_path: Path) -> None:
    def changed(path: Path) -> None:
        older(manifest.KERNEL_HASHES)(path)
        in_rows(lambda row: row.update(kernel_package_sha256="AB"))(path)

    folder = forged(built, tmp_path / "text", {manifest.KERNEL_HASHES: changed}).folder
    with pytest.raises(MalformedRecord, match="kernel_package_sha256: 'AB' is not 64 lowercase hex digits"):
        Catalog.open(folder).verify()


def test_a_table_with_other_columns_is_refused(small: BuildResult) -> None:
    table = pq.read_table(small.folder / manifest.FIRMWARE)
    for other in (table.drop_columns(["size"]), table.rename_columns([f"a{name}" for name in table.column_names])):
        with pytest.raises(MalformedRecord, match="has other columns than a file of this name must have"):
            read_rows(other, manifest.FIRMWARE)


def test_the_package_of_a_kernel_has_a_hash() -> None:
    text = f'name = "mine"\nkernel = {{ sha256 = "{"0" * 64}", package_sha256 = "x" }}\n'
    with pytest.raises(MalformedRecord, match=r"kernel\.package_sha256: 'x' is not 64 lowercase hex digits"):
        KernelRecord.parse(text)
