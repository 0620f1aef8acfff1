"""Rows that a log lacks: the same findings as with a set of all leaf hashes."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.audit import audit_leaves, leaf_membership
from catalog.audit.audit import AuditFinding, wrong
from catalog.audit.audit_leaves import leaf_findings
from catalog.audit.audit_release import LogAudit
from catalog.build.builder import BuildResult
from catalog.errors import DiskFull, LdcatError, OutOfMemory
from catalog.fast.published import PublishedRelease
from catalog.log.log_folder import LogFolder
from catalog.log.row_leaves import COLUMNS, row_leaves
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.digest_parts import digest_parts
from catalog.transparency.merkle import leaf_hash
from catalog.verify.verify_release import unverified_release
from tests.support.forged_catalogs import Change, another_column, forged, in_rows, one_digest
from tests.support.published_logs import Place

CHANGES: list[Change] = [
    one_digest,
    another_column("vcpus", 9),
    another_column("vmm", "nobody"),
    in_rows(lambda row: row.update(sev_features=8)),
]


def plain_findings(leaves: list[bytes], catalog: Catalog) -> Iterator[AuditFinding]:
    """The definition, of rows alone."""
    known = set(map(leaf_hash, leaves))
    for technology in catalog.manifest.known:
        for part in digest_parts(catalog, technology):
            missing = [leaf for leaf in row_leaves(part.table(COLUMNS)) if leaf_hash(leaf) not in known]
            if missing:
                what = f"{len(missing):,} of its rows are not leaves, e.g. {missing[0].decode()}"
                yield wrong("leaf", part.name, what)


@pytest.mark.parametrize("shard", [1 << 17, 4])
@pytest.mark.parametrize("seed", range(4))
def test_as_with_a_set(
    parted: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, shard: int
) -> None:
    monkeypatch.setattr(leaf_membership, "_SHARD", shard)
    monkeypatch.setattr(audit_leaves, "_TILES", 1)
    place = Place(tmp_path / "place", parted, 1_800_000_000)
    chosen = random.Random(seed)
    names = manifest.part_names("sev-snp", parted.manifest.technologies["sev-snp"].parts)
    forged(parted, tmp_path / "lie", {name: chosen.choice(CHANGES) for name in chosen.sample(names, 3 if seed else 0)})
    shutil.rmtree(place.log / "releases/1")
    shutil.copytree(tmp_path / "lie", place.log / "releases/1")
    release: PublishedRelease = unverified_release(LogFolder(place.log), None)
    catalog, log = Catalog.open(tmp_path / "lie"), LogAudit(LogFolder(place.log))
    unread = list(leaf_findings(release, catalog, log))
    assert unread == list(plain_findings(place.leaves(), catalog))
    assert bool(unread) == bool(seed)
    list(log.findings(None, None, {}, 1_800_000_100))
    assert log.history
    assert list(leaf_findings(release, catalog, log)) == unread


@pytest.mark.parametrize("catalog", ["small", "parted"])
def test_no_row_is_hashed_if_the_log_has_all(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, catalog: str
) -> None:
    place = Place(tmp_path / "place", request.getfixturevalue(catalog), 1_800_000_000)
    release, log = unverified_release(LogFolder(place.log), None), LogAudit(LogFolder(place.log))
    assert (log.history, log.checkpoint) == (None, None)
    list(log.findings(None, None, {}, 1_800_000_100))
    monkeypatch.setattr(audit_leaves, "row_leaves", None)
    assert list(leaf_findings(release, Catalog.open_release(release), log)) == []


def test_a_false_tile_is_found_if_the_log_has_all_rows(small: BuildResult, tmp_path: Path) -> None:
    """A reader finds a row by the hashes in the tiles."""
    place = Place(tmp_path / "place", small, 1_800_000_000)
    log = LogAudit(LogFolder(place.log))
    release = unverified_release(LogFolder(place.log), None)
    (tile,) = place.log.glob("tile/0/000.p/*")
    data = tile.read_bytes()
    tile.unlink()
    tile.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    list(log.findings(None, None, {}, 1_800_000_100))
    assert log.history
    found = [one.evidence for one in leaf_findings(release, Catalog.open_release(release), log)]
    assert any(one.startswith("1 of its rows are not leaves, e.g. {") for one in found)


@pytest.mark.parametrize("failure", [DiskFull, OutOfMemory])
def test_want_of_space_is_no_fault_of_the_log(
    small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: type[LdcatError]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise failure("no space")

    place = Place(tmp_path / "place", small, 1_800_000_000)
    monkeypatch.setattr("catalog.audit.audit_release.read_history", full)
    with pytest.raises(failure):
        list(LogAudit(LogFolder(place.log)).findings(None, None, {}, 1_800_000_100))
