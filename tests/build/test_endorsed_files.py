"""Endorsed digests of a spec, in the files of its catalog: the same bytes each time, and nothing without them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from catalog.errors import UsageError, VerificationFailed
from catalog.sql.query import run_query
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.database import write_database
from catalog.store.endorsements import document_name
from tests.support.catalogs import build, contents
from tests.support.cli import Run
from tests.support.endorsed_digests import import_list, write_import
from tests.support.published_documents import DIGEST, OTHER, gce
from tests.support.samples import ONE_ROW, write_spec

LISTED = "1e" * 48
IMPORTS = '[imports]\nfiles = ["in/*.toml"]\nroots = ["in/root.pem"]\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec with a signed document and a list, and its catalog."""
    folder = tmp_path_factory.mktemp("endorsed")
    write_import(folder / "in", gce())
    (folder / "in/list.toml").write_text(import_list(LISTED))
    build(write_spec(folder, ONE_ROW + IMPORTS), folder / "catalog")
    return folder


def test_the_catalog_has_the_records_and_their_documents(folder: Path) -> None:
    catalog = Catalog.open(folder / "catalog")
    catalog.verify()
    assert {one.launch_digest for one in catalog.endorsements.records} == {DIGEST, OTHER, LISTED}
    (found,) = catalog.endorsements.of(bytes.fromhex(DIGEST))
    assert found.document_sha256 is not None
    document = catalog.verified(document_name(found.document_sha256))
    assert hashlib.sha256(document).hexdigest() == found.document_sha256
    assert catalog.manifest.files[manifest.ENDORSED].rows == 3


def test_the_same_spec_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    build(folder / "spec.toml", tmp_path / "again")
    assert contents(tmp_path / "again") == contents(folder / "catalog")


def test_rows_are_reused_when_only_endorsements_change(folder: Path, tmp_path: Path) -> None:
    build(write_spec(tmp_path, ONE_ROW), tmp_path / "catalog")
    assert build(folder / "spec.toml", tmp_path / "catalog").reused == 1


def test_a_catalog_without_endorsed_digests_has_no_file_for_them(folder: Path, tmp_path: Path) -> None:
    build(folder / "spec.toml", tmp_path / "catalog")
    build(write_spec(tmp_path, ONE_ROW), tmp_path / "catalog")
    assert not (tmp_path / "catalog" / manifest.ENDORSED_FOLDER).exists()
    assert Catalog.open(tmp_path / "catalog").endorsements.records == ()


def test_a_changed_byte_is_found(folder: Path, tmp_path: Path) -> None:
    build(folder / "spec.toml", tmp_path / "catalog")
    paths = sorted((tmp_path / "catalog/endorsements").iterdir())
    assert len(paths) == 2
    for path in paths:
        right = path.read_bytes()
        path.write_bytes(right.replace(b"e", b"f", 1))
        with pytest.raises(VerificationFailed, match="is not the file its manifest names"):
            Catalog.open(tmp_path / "catalog").verify()
        path.write_bytes(right)


def test_more_than_a_reader_accepts_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.build.endorsed_files.MAX_ENDORSED", 1000)
    with pytest.raises(UsageError, match="more than 1,000"):
        build(folder / "spec.toml", tmp_path / "catalog")
    assert not (tmp_path / "catalog").exists()


QUERY = "SELECT launch_digest, vcpus, policy, checked FROM endorsements WHERE firmware_sha384 = '0x{}'"


def test_sql_has_a_view_of_them(folder: Path) -> None:
    _, rows = run_query(Catalog.open(folder / "catalog"), QUERY.format(("38" * 48).upper()))
    assert sorted(rows) == sorted([(DIGEST, 1, "0x30000", "signature"), (OTHER, 4, "0x30000", "signature")])
    _, rows = run_query(Catalog.open(folder / "catalog"), "SELECT endorser_id FROM endorsements WHERE vcpus IS NULL")
    assert list(rows) == [("https://a.example/list",)]


def test_a_database_has_a_copy_of_them(folder: Path, tmp_path: Path) -> None:
    import duckdb

    catalog = Catalog.open(folder / "catalog")
    write_database(catalog, tmp_path / "x.duckdb")
    with duckdb.connect(tmp_path / "x.duckdb") as connection:
        found = connection.execute("SELECT launch_digest FROM endorsements ORDER BY ALL").fetchall()
    assert found == sorted([(DIGEST,), (OTHER,), (LISTED,)])


def test_the_command_says_how_many(run: Run, folder: Path, tmp_path: Path) -> None:
    code, _, err = run("build", str(folder / "spec.toml"), "--output", str(tmp_path / "out"))
    assert (code, "3 launch digests that others publish\n" in err) == (0, True)
