"""SQL: the views over a catalog, and that queries reach nothing else."""

from __future__ import annotations

from pathlib import Path

import duckdb
import msgspec
import pytest

from catalog.build.builder import BuildResult
from catalog.errors import Unreadable, UsageError
from catalog.sql.query import run_query
from catalog.store.catalog import Catalog
from catalog.store.database import create_joins, write_database
from tests.support.catalogs import build, contents
from tests.support.samples import write_spec


def ask(built: BuildResult, query: str) -> list[tuple[object, ...]]:
    return list(run_query(Catalog.open(built.folder), query)[1])


def test_views_contain_every_row(small: BuildResult) -> None:
    total = sum(entry.rows for entry in small.manifest.technologies.values())
    assert ask(small, "SELECT count(*) FROM launch_digests") == [(total,)]
    twin = (
        "SELECT count(*) FROM launch_digests d JOIN firmware f ON f.sha256 = d.firmware_sha256 WHERE name = 'twin.fd'"
    )
    assert ask(small, "SELECT count(*) FROM configurations") == [(total + int(str(ask(small, twin)[0][0])),)]
    snp = small.manifest.technologies["sev-snp"].rows
    assert ask(small, "SELECT count(*) FROM launch_digests_sev_snp") == [(snp,)]
    assert ask(small, "SELECT count(*) FROM kernel_hashes") == [(1,)]
    assert ask(small, "SELECT count(*) FROM launchable") == [(9,)]


def test_columns_come_with_the_rows(small: BuildResult) -> None:
    columns, rows = run_query(Catalog.open(small.folder), "SELECT technology, vcpus FROM configurations LIMIT 2")
    assert columns == ["technology", "vcpus"]
    assert len(list(rows)) == 2


@pytest.mark.parametrize(
    "query",
    [
        "nonsense",
        "SELECT * FROM nowhere",
        "SELECT 1 / 'x'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "COPY (SELECT 1) TO '{}/written.csv'",
        "ATTACH '{}/written.duckdb'",
        "EXPORT DATABASE '{}/written'",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "INSTALL httpfs",
        "LOAD httpfs",
    ],
)
def test_a_query_reaches_nothing_but_the_catalog(small: BuildResult, tmp_path: Path, query: str) -> None:
    with pytest.raises(UsageError, match="query: "):
        ask(small, query.format(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_query_that_fails_in_the_middle(small: BuildResult) -> None:
    with pytest.raises(UsageError, match="query: "):
        ask(small, "SELECT CAST(CASE WHEN i > 5000 THEN 'x' ELSE '1' END AS INT) FROM range(9000) t(i)")


def test_a_database_of_views_is_written_on_request(small: BuildResult, tmp_path: Path) -> None:
    before = contents(small.folder)
    path = tmp_path / "it's mine.duckdb"
    write_database(Catalog.open(small.folder), path)
    with duckdb.connect(path, read_only=True) as connection:
        rows = connection.execute("SELECT count(*) FROM configurations WHERE technology = 'sev'").fetchall()
    assert rows == [(len(ask(small, "FROM configurations WHERE technology = 'sev'")),)]
    assert contents(small.folder) == before
    with pytest.raises(UsageError, match="already exists"):
        write_database(Catalog.open(small.folder), path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_database_is_for_duckdb_1_4_and_has_hashes_as_text(small: BuildResult, tmp_path: Path) -> None:
    path = tmp_path / "views.duckdb"
    write_database(Catalog.open(small.folder), path)
    ((digest,),) = ask(small, "SELECT launch_digest FROM launch_digests_sev LIMIT 1")
    with duckdb.connect(path, read_only=True) as connection:
        tags = connection.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'views'").fetchone()
        assert tags == ({"storage_version": "v1.4.0+"},)
        for view in ("launch_digests", "launch_digests_sev", "configurations"):
            for condition in (f"launch_digest = '{digest}'", f"lower(hex(launch_digest)) = '{digest}'"):
                assert connection.execute(f"SELECT count(*) > 0 FROM {view} WHERE {condition}").fetchall() == [(True,)]
        text = ask(small, "FROM firmware ORDER BY name")
        assert connection.execute("FROM firmware ORDER BY name").fetchall() == text


def test_the_version_of_a_firmware_is_a_column_of_its_view(tmp_path: Path) -> None:
    builds = '["bookworm/ovmf/OVMF.fd", "sid/ovmf-amdsev/*"]'
    text = f'name = "x"\nfirmware = {{ builds = {builds} }}\ntechnologies = {{ sev = {{}} }}\n'
    built = build(write_spec(tmp_path, text), tmp_path / "catalog")
    rows = ask(built, "SELECT name, firmware_version FROM firmware ORDER BY name")
    assert rows == [("bookworm/ovmf/OVMF.fd", None), ("sid/ovmf-amdsev/OVMF.amdsev.fd", "2026.08+ds-2")]


def test_a_database_that_cannot_be_written(small: BuildResult, tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        write_database(Catalog.open(small.folder), tmp_path / "nowhere" / "x.duckdb")


def test_a_catalog_without_any_row(tmp_path: Path) -> None:
    text = 'name = "x"\nfirmware = { builds = ["bullseye/*"] }\n[technologies.sev-snp]\n'
    text += 'vmm = ["gce-v1"]\nsev_features = [1]\nvcpus = [1]\n'
    built = build(write_spec(tmp_path, text), tmp_path / "catalog")
    assert ask(built, "FROM configurations") == []
    assert ask(built, "SELECT count(*) FROM firmware") == [(5,)]
    assert built.example is None


@pytest.mark.parametrize("query", ["\udcff", "SELECT INTERVAL '2000000000 months'"])
def test_queries_and_values_that_python_cannot_represent(small: BuildResult, query: str) -> None:
    with pytest.raises(UsageError, match="query: "):
        ask(small, query)


def test_an_empty_query(small: BuildResult) -> None:
    with pytest.raises(UsageError, match="empty"):
        ask(small, "")


@pytest.mark.parametrize("sample", ["USING SAMPLE 100%", "USING SAMPLE reservoir(5 ROWS)", "TABLESAMPLE system(100%)"])
def test_a_query_for_a_sample(small: BuildResult, sample: str) -> None:
    assert len(ask(small, f"SELECT * FROM firmware {sample}")) == len(ask(small, "FROM firmware"))


@pytest.mark.parametrize("call", ["starts_with()", "replace()", "contains(sha256)", "regexp_matches(sha256)", "left()"])
def test_functions_with_too_few_arguments(small: BuildResult, call: str) -> None:
    with pytest.raises(UsageError, match="query: Binder Error"):
        ask(small, f"SELECT {call} FROM firmware")


def test_a_release_without_any_technology_that_is_known(small: BuildResult) -> None:
    later = msgspec.structs.replace(small.manifest, technologies={})
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE firmware (name VARCHAR, package VARCHAR, version VARCHAR, sha256 VARCHAR)")
        for column in ("kernel_hashes_enforced", "snp_baseline", "firmware_version"):
            connection.execute(f"ALTER TABLE firmware ADD COLUMN {column} VARCHAR")
        connection.execute("CREATE TABLE bases (name VARCHAR, launch_digest VARCHAR)")
        connection.execute("CREATE TABLE kernel_hashes (name VARCHAR, append VARCHAR, table_sha256 VARCHAR)")
        connection.execute("CREATE TABLE launchable (firmware VARCHAR, technology VARCHAR, verdict VARCHAR)")
        create_joins(connection, later, (), published=True)
        columns = connection.sql("SELECT launch_digest, revocation, revocation_reason FROM configurations")
        assert {str(kind) for kind in columns.types} == {"VARCHAR"}
        assert columns.fetchall() == []
