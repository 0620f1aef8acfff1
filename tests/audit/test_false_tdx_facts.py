"""A false MRTD in the TDX facts of a build is found by its rows, and by the image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from catalog.build.builder import BuildResult
from catalog.store import manifest
from catalog.store.catalog import Catalog
from tests.support.cli import Run
from tests.support.forged_catalogs import forged, in_rows
from tests.support.td_files import ROWS


def false_mrtd(row: dict[str, Any]) -> None:
    facts = json.loads(row["tdx"])
    facts["mrtd"]["two-pass"] = "11" * 48
    row["tdx"] = json.dumps(facts, sort_keys=True, separators=(",", ":"))


def test_a_false_mrtd_is_found(tds: BuildResult, run: Run, tmp_path: Path) -> None:
    change = in_rows(false_mrtd, which=lambda row: row["name"] == "td.fd")
    forged(tds, tmp_path / "lie", {manifest.TDX_FIRMWARE: change})
    rows = pq.read_table(tds.folder / ROWS).to_pylist()
    digest = next(row["launch_digest"].hex() for row in rows if row["vmm"] == "qemu-tdx-two-pass")
    image = tds.folder.parent / "inputs/td.fd"
    code, out, _ = run("audit", str(tmp_path / "lie"), "--firmware", str(image), "-f", "json", "-q")
    found = {(one["rule"], one["subject"]) for one in json.loads(out)["findings"] if one["severity"] == "error"}
    assert code == 1
    assert {("digest", digest), ("image", str(image))} == found
    assert run("audit", str(tds.folder), "--firmware", str(image), "-q")[0] == 0


def test_tdx_facts_in_the_record_that_every_version_reads_are_found(tds: BuildResult, run: Run, tmp_path: Path) -> None:
    record = Catalog.open(tds.folder).builds["td.fd"].to_toml()
    change = in_rows(lambda row: row.update(record=record), which=lambda row: row["name"] == "td.fd")
    forged(tds, tmp_path / "lie", {manifest.FIRMWARE: change})
    code, out, _ = run("audit", str(tmp_path / "lie"), "-f", "json", "-q")
    assert code == 1
    assert "which belong into tdx/firmware.parquet" in out
