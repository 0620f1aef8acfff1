"""Distinguished digests: a catalog that keeps few digests answers like one that keeps all of them."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import duckdb
import pytest

from catalog.abi.digest import LaunchDigest
from catalog.ask.batch import BatchIndex
from catalog.ask.lookup import lookup
from catalog.build import distinguished, generation
from catalog.build.builder import BuildResult
from catalog.errors import LdcatError, MalformedRecord, UsageError, VerificationFailed
from catalog.fast.index import Index
from catalog.fast.match import Match
from catalog.fast.packed import PackedCatalog, light_sha256
from catalog.fast.plain_lookup import plain_lookup
from catalog.launch.hashing.backends import REFERENCE
from catalog.spec.catalog_spec import load_spec
from catalog.sql.query import run_query
from catalog.store import row_records
from catalog.store.catalog import Catalog
from catalog.store.database import write_database
from tests.support.catalogs import all_digests, build, contents
from tests.support.samples import FEW, LONGER, ODD, write_inputs, write_spec


@pytest.fixture(scope="module")
def all_kept(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    folder = tmp_path_factory.mktemp("all")
    return build(write_spec(write_inputs(folder / "inputs"), LONGER + ODD), folder / "catalog")


def found(built: BuildResult, digest: bytes) -> list[dict[str, object]]:
    return [match.to_dict() for match in matches(built, digest)]


def matches(built: BuildResult, digest: bytes) -> tuple[Match, ...]:
    return lookup(opened(built.folder), LaunchDigest(digest), warn=pytest.fail)


opened = cache(Catalog.open)


def snp_digests(built: BuildResult) -> list[bytes]:
    return [digest for technology, digest in all_digests(built) if technology == "sev-snp"]


def test_every_row_is_found_although_few_are_kept(all_kept: BuildResult, few_kept: BuildResult) -> None:
    packed = PackedCatalog(str(few_kept.folder), light_sha256())
    kept = packed.indexes["sev-snp"].rows
    packed.close()
    digests = snp_digests(all_kept)
    assert few_kept.manifest.technologies["sev-snp"].rows == len(digests)
    assert kept < len(digests) / 2
    for digest in digests[::5]:
        assert found(few_kept, digest) == found(all_kept, digest) != []


def test_vcpu_counts_outside_of_the_catalog_are_found_with_a_note(
    all_kept: BuildResult, few_kept: BuildResult, tmp_path: Path
) -> None:
    spec = write_spec(write_inputs(tmp_path / "inputs"), LONGER.replace('"1-40", 45', '"1-50"'))
    more = build(spec, tmp_path / "more")
    listed = set(snp_digests(all_kept))
    unlisted = [match for digest in snp_digests(more) if digest not in listed for match in matches(few_kept, digest)]
    for match in unlisted:
        assert not match.listed
        (note,) = [note for note in match.notes() if note.code == "vcpus-not-listed"]
        assert note.text.startswith(f"the catalog does not list {match.vcpus} vCPUs: found by adding vCPUs")
        same = [m.to_dict() for m in matches(more, match.launch_digest)]
        others = [one.to_dict() for one in match.notes() if one != note]
        assert {**match.to_dict(), "listed": True, "notes": others} in same
    counts = [match.vcpus or 0 for match in unlisted]
    assert min(counts) == 1
    assert max(counts) > 45
    assert {41, 42, 43, 44} < set(counts)


def test_an_unknown_digest_is_not_found(few_kept: BuildResult) -> None:
    for digest in (bytes(48), b"\xff" * 48, bytes(47) + b"\x01", b"\x01" + bytes(47)):
        assert found(few_kept, digest) == []
    assert found(few_kept, bytes(32)) == []


def test_a_hit_is_measured(few_kept: BuildResult, all_kept: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index is not trusted: a row that it leads to is measured, and must have the requested digest."""
    monkeypatch.setattr(Index, "find_in_python", lambda self, digest: [0, 1, 5] if self.distinguished_bits else [])
    assert found(few_kept, b"\x01" * 48) == []


@pytest.mark.parametrize("compiled", [True, False])
def test_every_engine_builds_the_same_bytes(
    few_kept: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    monkeypatch.setattr(generation, "_CHUNK_IN_PYTHON", 50)
    if not compiled:
        monkeypatch.setattr(row_records, "lib", None)
    spec = write_spec(write_inputs(tmp_path / "inputs"), FEW + ODD)
    again = build(spec, tmp_path / "again", backend=REFERENCE, processes=2 if compiled else 1)
    assert contents(again.folder) == contents(few_kept.folder)
    kept = sum(few_kept.manifest.technologies[name].rows for name in ("sev", "sev-es"))
    assert build(spec, again.folder).reused == kept
    assert contents(again.folder) == contents(few_kept.folder)


def test_rebuilding_with_all_digests_and_back(few_kept: BuildResult, all_kept: BuildResult, tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path / "inputs")
    folder = build(write_spec(inputs, FEW + ODD), tmp_path / "catalog").folder
    build(write_spec(inputs, LONGER + ODD), folder)
    assert contents(folder) == contents(all_kept.folder)
    build(write_spec(inputs, FEW + ODD), folder)
    assert contents(folder) == contents(few_kept.folder)


def test_a_damaged_index_has_nothing_to_fall_back_on(
    few_kept: BuildResult, all_kept: BuildResult, tmp_path: Path
) -> None:
    shutil.copytree(few_kept.folder, tmp_path / "copy")
    (tmp_path / "copy/sev-snp/launch_digests.index").write_bytes(b"")
    warnings: list[str] = []
    with pytest.raises(VerificationFailed, match="the catalog has no rows of it"):
        lookup(Catalog.open(tmp_path / "copy"), LaunchDigest(snp_digests(all_kept)[0]), warn=warnings.append)
    assert len(warnings) == 1


def test_the_fast_path_leaves_distinguished_digests_to_the_full_path(few_kept: BuildResult) -> None:
    assert plain_lookup(["0" * 96, "--catalog", str(few_kept.folder)]) is None
    assert plain_lookup(["0" * 64, "--catalog", str(few_kept.folder)]) is not None


def test_sql_and_batches_use_only_digests_that_are_kept(few_kept: BuildResult, tmp_path: Path) -> None:
    catalog = Catalog.open(few_kept.folder)
    kept = sum(few_kept.manifest.technologies[name].rows for name in ("sev", "sev-es"))
    query = "SELECT count(*) FROM launch_digests_sev_snp UNION ALL SELECT count(*) FROM launch_digests"
    assert list(run_query(catalog, query)[1]) == [(0,), (kept,)]
    write_database(catalog, tmp_path / "x.duckdb")
    with duckdb.connect(tmp_path / "x.duckdb") as connection:
        assert connection.execute(query).fetchall() == [(0,), (kept,)]
    with pytest.raises(UsageError, match="keeps distinguished digests of sev-snp only"):
        BatchIndex.open(catalog, "sev-snp")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("distinguished_bits = 3", "distinguished_bits = 17", "17 is not between 0 and 16"),
        ("distinguished_bits = 3", "distinguished_bits = -1", "-1 is not between 0 and 16"),
        ("[technologies.sev-snp]", "distinguished_bits = 2\n[technologies.sev-snp]", "is not a state"),
    ],
)
def test_invalid_distinguished_bits_are_refused(inputs: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(MalformedRecord) as error:
        load_spec(write_spec(inputs, FEW.replace(old, new)))
    assert message in f"{error.value} {error.value.hint}"


def test_a_chain_without_end_is_an_error(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinguished, "with_zero_bits", lambda *_: [])
    with pytest.raises(LdcatError, match="no digest of 512 in a row ends with 3 zero bits"):
        build(write_spec(inputs, FEW), tmp_path / "catalog")
