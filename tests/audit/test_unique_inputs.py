"""Inputs that several rows have: the index tells that there are none, or rows are grouped, with the same findings."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from catalog.audit import audit_rows
from catalog.audit.audit_rows import unique_findings
from catalog.build.builder import BuildResult
from catalog.fast.index import Group, Index
from catalog.fast.names import Names
from catalog.fast.verity import VerifiedBytes
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.index.index_faults import has_distinct_inputs, index_faults
from catalog.store.index.met_ordinals import MetOrdinals
from tests.support.forged_catalogs import Change, forged
from tests.support.forged_indexes import LIES, pages_of_parts
from tests.support.forged_rows import ROW_LIES

SNP = "sev-snp/launch_digests.parquet"
INDEX = "sev-snp/launch_digests.index"


def found(folder: Path, *, by_index: bool, patch: pytest.MonkeyPatch) -> list[Any]:
    with patch.context() as patched:
        if not by_index:
            patched.setattr(audit_rows, "has_distinct_inputs", lambda *_: False)
        return list(unique_findings(Catalog.open(folder), "sev-snp"))


def test_a_right_index_tells(small: BuildResult, parted: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    for built in (small, parted):
        for technology in built.manifest.technologies:
            assert has_distinct_inputs(Catalog.open(built.folder).components, technology)
    monkeypatch.setattr(audit_rows, "inputs_seen", None)
    assert found(small.folder, by_index=True, patch=monkeypatch) == []


@pytest.mark.parametrize("lie", ROW_LIES.values(), ids=ROW_LIES)
def test_the_same_findings_about_rows(
    small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: Change
) -> None:
    forged(small, tmp_path / "lie", {SNP: lie, INDEX: pages_of_parts})
    by_index, by_rows = (found(tmp_path / "lie", by_index=which, patch=monkeypatch) for which in (True, False))
    assert by_index == by_rows


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_false_index_tells_nothing(small: BuildResult, tmp_path: Path, lie: Change) -> None:
    forged(small, tmp_path / "lie", {INDEX: lie})
    assert not has_distinct_inputs(Catalog.open(tmp_path / "lie").components, "sev-snp")


def test_rows_with_one_ordinal(small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second row has the inputs and the ordinal of the first: the index leads to right inputs, twice."""

    def ordinal_twice(path: Path) -> None:
        pages_of_parts(path)
        data = bytearray(path.read_bytes())
        opened = Index(VerifiedBytes(bytes(data)), lambda *_: b"")
        layout = opened.layout()
        kept = (1 << opened.ordinal_bits) - 1
        first, second = (
            slice(layout.entry_at + layout.entry_size * row, layout.entry_at + layout.entry_size * (row + 1))
            for row in range(2)
        )
        entry = int.from_bytes(data[second], "big") & ~kept | int.from_bytes(data[first], "big") & kept
        data[second] = entry.to_bytes(layout.entry_size, "big")
        path.write_bytes(data)

    forged(small, tmp_path / "lie", {SNP: ROW_LIES["inputs twice"], INDEX: ordinal_twice})
    components = Catalog.open(tmp_path / "lie").components
    assert list(index_faults(components, ["sev-snp"])) == []
    assert not has_distinct_inputs(components, "sev-snp")
    assert len(found(tmp_path / "lie", by_index=True, patch=monkeypatch)) == 1


@pytest.mark.parametrize("seed", range(3))
def test_ordinals_are_met_once(parted: BuildResult, seed: int) -> None:
    catalog = Catalog.open(parted.folder)
    index = Index(VerifiedBytes(catalog.verified(INDEX)), lambda *_: b"")
    names = Names(VerifiedBytes(catalog.verified(manifest.NAMES)))

    def distinct(*runs: list[int]) -> bool:
        met = MetOrdinals(index, names)
        for run in runs:
            met.add(pa.array(run, pa.uint64()))
        return met.distinct

    last = index.rows - 1
    assert distinct([seed, last], [seed + 1])
    assert not distinct([seed, last], [seed + 1, last])
    assert not distinct([seed, seed, last])
    assert distinct(list(range(index.rows))[::-1])


def test_groups_with_the_same_inputs(small: BuildResult) -> None:
    catalog = Catalog.open(small.folder)
    index = Index(VerifiedBytes(catalog.verified(INDEX)), lambda *_: b"")
    names = Names(VerifiedBytes(catalog.verified(manifest.NAMES)))
    assert MetOrdinals(index, names).distinct
    first = index.group_of(0)
    names_of = [name for name in inspect.signature(Group).parameters if name != "first"]
    again = Group(first=first.rows, **{name: getattr(first, name) for name in names_of})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Index, "groups", lambda _: iter([first, again]))
        assert not MetOrdinals(index, names).distinct
