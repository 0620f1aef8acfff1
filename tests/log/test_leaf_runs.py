"""Runs of leaves with one firmware and one kernel hashes table, found by few reads, as by reading the whole log."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.log.leaf_runs import leaf_runs
from catalog.log.log_folder import LastCheckpoint, LogFolder
from catalog.log.log_reader import LogReader
from catalog.log.records import RevokeRecord
from catalog.publish.publish import publish
from catalog.store.catalog import Catalog
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import WIDTH
from tests.support.catalogs import build
from tests.support.logs import LOG, NOW
from tests.support.samples import write_spec

REVOKE = RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="bad")


class Counting(LogFolder):
    """Records which files are read."""

    reads: set[str] = set()

    def read(self, path: str, at_most: int) -> bytes:
        self.reads.add(path)
        return super().read(path, at_most)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """Two runs of 12,288 rows; each is in 48 entry bundles of the log."""
    folder = tmp_path_factory.mktemp("long")
    spec = """
    name = "long"
    firmware = { builds = ["sid/ovmf-amdsev/OVMF.amdsev.fd", "sid/ovmf-generic/OVMF.fd"] }
    [technologies.sev-snp]
    vmm = ["qemu-kvm-init2"]
    vcpu_signatures = ["EPYC", "EPYC-Milan", "EPYC-Genoa"]
    sev_features = [1]
    vcpus = ["1-4096"]
    """
    return build(write_spec(folder, spec), folder / "catalog")


@pytest.mark.parametrize("which", ["small", "long"])
def test_runs_match_those_found_by_reading_the_whole_log(
    request: pytest.FixtureRequest, tmp_path: Path, which: str
) -> None:
    built: BuildResult = request.getfixturevalue(which)
    log, state = Counting(tmp_path / "log"), LastCheckpoint(tmp_path / "signed.note")
    publish(Catalog.open(built.folder), log, [LOG], state, now=NOW)
    publish(Catalog.open(built.folder), log, [LOG], state, revokes=[REVOKE], now=NOW + 1)
    note = log.checkpoint()
    assert note is not None
    checkpoint = Checkpoint.parse(note.text)
    whole = LogReader(log, checkpoint)
    starts = [whole.entry(at).partition(b',"launch_digest":') for at in range(checkpoint.size)]
    expected, at = [], 0
    for (start, found), members in groupby((start, found) for start, found, _ in starts):
        rows = len(list(members))
        if found:
            expected.append((start.decode(), at, rows))
        at += rows
    log.reads.clear()
    assert [(one.start, one.first, one.rows) for one in leaf_runs(LogReader(log, checkpoint))] == expected
    assert sum(rows for _, _, rows in expected) == checkpoint.size - 3
    bundles = [path for path in log.reads if path.startswith("tile/entries/")]
    assert len(bundles) <= 24 * len(expected)
    assert which == "small" or len(bundles) < checkpoint.size / WIDTH / 3


def test_rows_of_a_run_are_sorted_by_digest(small: BuildResult, tmp_path: Path) -> None:
    log, state = LogFolder(tmp_path / "log"), LastCheckpoint(tmp_path / "signed.note")
    publish(Catalog.open(small.folder), log, [LOG], state, now=NOW)
    note = log.checkpoint()
    assert note is not None
    reader = LogReader(log, Checkpoint.parse(note.text))
    for one in leaf_runs(reader):
        leaves = [reader.entry(at) for at in range(one.first, one.first + one.rows)]
        digests = [leaf.partition(b'"launch_digest":"')[2] for leaf in leaves]
        assert digests == sorted(digests)
