"""Parquet: no reader trusts a footer beyond what the manifest and the size of the file allow."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.build.builder import BuildResult
from catalog.errors import MalformedRecord
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.parquet import check_footer, read_parquet
from tests.support.catalogs import digest_of
from tests.support.cli import Run
from tests.support.forged_catalogs import forged

SNP = "sev-snp/launch_digests.parquet"
MANY = 20_000_000
I64 = b"\x16"
"""Header of the next 64-bit integer of a structure, in Thrift's compact protocol."""


def varint(number: int) -> bytes:
    number *= 2  # zigzag
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


def promises(path: Path) -> None:
    """The footer claims 20 million rows; the rest of the file is unchanged."""
    data = path.read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    body, footer = data[: -8 - size], data[-8 - size : -8]
    rows = pq.read_metadata(path).num_rows
    footer = footer.replace(I64 + varint(rows), I64 + varint(MANY))
    path.write_bytes(body + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    assert pq.read_metadata(path).num_rows == MANY


def larger_manifest(path: Path, name: str) -> None:
    """Makes the manifest claim as many rows."""
    text = manifest.parse_manifest(path.read_bytes())
    entry = msgspec.structs.replace(text.files[name], rows=MANY)
    technologies = {
        key: msgspec.structs.replace(value, rows=MANY) if name.startswith(f"{key}/") else value
        for key, value in text.technologies.items()
    }
    larger = msgspec.structs.replace(text, files={**text.files, name: entry}, technologies=technologies)
    path.write_bytes(larger.to_json())


@pytest.fixture(params=[False, True], ids=["footer", "footer and manifest"])
def lying(request: pytest.FixtureRequest, small: BuildResult, tmp_path: Path) -> Callable[[str], Path]:
    def made(name: str) -> Path:
        folder = tmp_path / "copy"
        forged(small, folder, {name: promises})
        if request.param:
            larger_manifest(folder / manifest.NAME, name)
        return folder

    return made


def taken() -> int:
    """The most bytes that Arrow allocated at any time."""
    return int(pa.default_memory_pool().max_memory())


@pytest.mark.parametrize("name", [SNP, manifest.FIRMWARE, manifest.LAUNCHABLE, manifest.KERNEL_HASHES])
def test_a_footer_that_promises_20_million_rows_takes_no_memory(lying: Callable[[str], Path], name: str) -> None:
    catalog, before = Catalog.open(lying(name)), taken()
    with pytest.raises(MalformedRecord, match="promises 20,000,000 rows"):
        read_parquet(catalog, name)
    assert taken() - before < 16 << 20


@pytest.mark.parametrize("name", [SNP, manifest.FIRMWARE])
@pytest.mark.parametrize("command", ["lookup", "sql", "diff", "audit", "database", "publish"])
def test_every_command_refuses_such_a_footer(
    run: Run, small: BuildResult, lying: Callable[[str], Path], tmp_path: Path, command: str, name: str
) -> None:
    folder, before = lying(name), taken()
    if command == "lookup":
        (folder / "sev-snp/launch_digests.index").write_bytes(b"damaged, so that Parquet is read")
    arguments = {
        "lookup": ("lookup", digest_of(small), "--catalog", str(folder)),
        "sql": ("sql", "FROM configurations", "--catalog", str(folder)),
        "diff": ("diff", str(folder), str(small.folder)),
        "audit": ("audit", str(folder), "-q", "--format", "json"),
        "database": ("sql", "--database", str(tmp_path / "x.duckdb"), "--catalog", str(folder)),
        "publish": ("publish", str(folder), "--log", str(tmp_path / "log"), "--key", str(tmp_path / "key")),
    }[command]
    if command == "publish":
        assert run("keygen", "example.com/log", "-o", str(tmp_path / "key"))[0] == 0
    code, _, err = run(*arguments)
    assert code not in (0, 70), err
    assert taken() - before < 64 << 20
    assert not [*tmp_path.glob("log/checkpoint"), *tmp_path.glob("x.duckdb")]


def test_the_files_of_real_catalogs_are_read(default: BuildResult, small: BuildResult) -> None:
    for built in (default, small):
        catalog = Catalog.open(built.folder)
        for name in catalog.manifest.files:
            if name.endswith(".parquet"):
                assert len(read_parquet(catalog, name)) == catalog.manifest.files[name].rows


def test_a_column_that_would_expand_too_far_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": ["0" * (20 << 20)]}), path, compression="zstd", use_dictionary=False)
    entry = manifest.FileEntry(sha256="", size=path.stat().st_size, rows=1)
    footer = pq.read_metadata(path)
    with pytest.raises(MalformedRecord, match="promises more values of a than it can hold"):
        check_footer(footer, entry, "t.parquet")
    for rows in (None, 0):
        with pytest.raises(MalformedRecord):
            check_footer(footer, msgspec.structs.replace(entry, rows=rows), "t.parquet")
    small = msgspec.structs.replace(entry, size=100)
    pq.write_table(pa.table({"a": [os.urandom(1000)]}), path)
    with pytest.raises(MalformedRecord, match="promises columns of"):
        check_footer(pq.read_metadata(path), small, "t.parquet")
