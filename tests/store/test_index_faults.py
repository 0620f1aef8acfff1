"""The index compared with the rows: every field that a lookup reads, changed under a manifest with matching hashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.store.catalog import Catalog
from catalog.store.index.index_faults import index_faults
from tests.support.forged_catalogs import Change, elsewhere, forged, in_rows
from tests.support.forged_indexes import LIES

INDEX = "sev-snp/launch_digests.index"


def faults(folder: Path) -> list[str]:
    return list(index_faults(Catalog.open(folder).components))


@pytest.mark.parametrize("change", LIES.values(), ids=LIES)
def test_every_changed_field_of_an_index_is_found(small: BuildResult, tmp_path: Path, change: Change) -> None:
    forged(small, tmp_path / "lie", {INDEX: change})
    found = faults(tmp_path / "lie")
    assert found
    assert all(one.startswith("sev-snp/") and "\n" not in one for one in found)


def test_a_correct_index_has_no_faults(
    small: BuildResult, default: BuildResult, parted: BuildResult, few_kept: BuildResult
) -> None:
    """The catalogs have one part, many parts, and no rows."""
    for built in (small, default, parted, few_kept):
        assert faults(built.folder) == []


def test_the_fault_names_the_row(small: BuildResult, tmp_path: Path) -> None:
    forged(small, tmp_path / "lie", {"sev-snp/launch_digests.parquet": in_rows(lambda row: row.update(vcpus=9))})
    message = "row 0: the index leads from its digest to other inputs (wrong rows: 1)"
    assert f"sev-snp/launch_digests.parquet: {message}" in faults(tmp_path / "lie")


def test_every_part_is_compared(parted: BuildResult, tmp_path: Path) -> None:
    forged(parted, tmp_path / "lie", {INDEX: elsewhere(2)})
    named = {one.partition(":")[0] for one in faults(tmp_path / "lie")}
    assert len(named) > 2
    assert all(name.startswith("sev-snp/launch_digests-") for name in named)
