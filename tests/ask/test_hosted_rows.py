"""Rows of a hosted VMM and a build that is not its platform's: measured, and everywhere said not to launch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import pytest

from catalog.abi.digest import LaunchDigest
from catalog.ask.coverage import coverage
from catalog.ask.lookup import lookup, lookup_in_parquet
from catalog.ask.measure import Workbench
from catalog.ask.measure_request import Request
from catalog.build.builder import BuildResult
from catalog.fast.match import Match
from catalog.notes import Note
from catalog.sql.query import run_query
from catalog.store.catalog import Catalog
from catalog.store.database import write_database

AMDSEV = "sid/ovmf-amdsev/OVMF.amdsev.fd"
EC2 = Request(technology="sev-snp", firmware=AMDSEV, vmm="ec2-2026", vcpus=2)


def rows(small: BuildResult, *, hosted: bool) -> list[LaunchDigest]:
    which = "=" if hosted else "<>"
    query = f"SELECT launch_digest FROM launch_digests_sev_snp WHERE vmm {which} 'ec2-2026'"
    return [LaunchDigest.parse(digest) for (digest,) in run_query(Catalog.open(small.folder), query)[1]]


@pytest.mark.parametrize("search", [partial(lookup, warn=pytest.fail), lookup_in_parquet])
def test_a_lookup_says_so(small: BuildResult, search: Callable[[Catalog, LaunchDigest], tuple[Match, ...]]) -> None:
    catalog = Catalog.open(small.folder)
    found = [match for digest in rows(small, hosted=True) for match in search(catalog, digest)]
    assert found
    for match in found:
        assert (match.launchable, match.launchable_source) == ("no", "VMM profile ec2-2026")
        note = "this build is not expected to launch under sev-snp: aws-ec2 launches its own firmware only"
        assert Note("launch-not-expected", note) in match.notes()
    assert {match.launchable for digest in rows(small, hosted=False) for match in search(catalog, digest)} == {
        "unknown"
    }


def test_sql_says_so(small: BuildResult, tmp_path: Path) -> None:
    catalog = Catalog.open(small.folder)
    query = "SELECT DISTINCT vmm, launchable FROM configurations WHERE technology = 'sev-snp' ORDER BY vmm"
    expected = [("ec2-2026", "no"), ("qemu-kvm-init2", "unknown"), ("qemu-kvm-legacy", "unknown")]
    assert list(run_query(catalog, query)[1]) == expected
    write_database(catalog, tmp_path / "views.duckdb")
    with duckdb.connect(tmp_path / "views.duckdb", read_only=True) as connection:
        assert connection.sql(query).fetchall() == expected


def test_coverage_says_so(small: BuildResult) -> None:
    found = coverage(Catalog.open(small.folder))
    verdicts = {
        kind.vmm: cell.launchable
        for _, cells in found.rows
        for kind, cell in zip(found.kinds, cells, strict=True)
        if kind.technology == "sev-snp"
    }
    assert verdicts == {"ec2-2026": "no", "qemu-kvm-init2": "unknown", "qemu-kvm-legacy": "unknown"}


def test_measure_says_so_and_measures() -> None:
    measured = Workbench().measure(EC2)
    assert measured.to_dict()["launchable"] == "no"
    (warning,) = measured.warnings()
    assert warning.text == (
        f"{AMDSEV} is not expected to launch under sev-snp: aws-ec2 launches its own firmware only "
        "(VMM profile ec2-2026)"
    )
