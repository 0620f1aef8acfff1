"""An audit that compares with generated rows finds what the checks of single rows find, and needs none of them if all
is right.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.audit import audit_catalog, regenerated
from catalog.audit.audit import AuditFinding
from catalog.audit.audit_catalog import catalog_findings
from catalog.audit.regenerated import Regenerated, regenerate
from catalog.build.builder import BuildResult
from catalog.files import direct_io
from catalog.launch.hashing.backends import REFERENCE, HashBackend, choose
from catalog.rows.launch_config import VcpuSweep
from catalog.spec.cross_product import cross_product
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.digest_parts import DigestPart
from catalog.work.engine import local_engine
from tests.support.catalogs import build, no_progress
from tests.support.forged_catalogs import Change, forged, in_manifest, without_rows
from tests.support.forged_indexes import LIES, number, pages_of_parts
from tests.support.forged_rows import ROW_LIES, in_table
from tests.support.samples import SMALL, write_inputs, write_spec

Sweeps = tuple[VcpuSweep, ...]


def audited(
    folder: Path, backend: HashBackend | None = None, remeasure: int | None = None
) -> tuple[list[AuditFinding], int]:
    """All findings, and how many digests were recomputed."""
    counted: list[int] = []
    chosen = backend or choose()
    with local_engine(2, threads=chosen.compiled) as engine:
        found = catalog_findings(
            Catalog.open(folder),
            [],
            remeasure,
            engine=engine,
            backend=chosen,
            start_progress=no_progress,
            recomputed=counted.append,
        )
        return list(dict.fromkeys(found)), sum(counted)


def row_by_row(folder: Path, patch: pytest.MonkeyPatch, remeasure: int | None = None) -> tuple[list[AuditFinding], int]:
    """The same by the checks of single rows alone."""
    with patch.context() as patched:
        patched.setattr(audit_catalog, "regenerate", lambda *_, **__: Regenerated())
        return audited(folder, None, remeasure)


def equal(folder: Path, technology: str, backend: HashBackend | None = None) -> Regenerated:
    chosen = backend or choose()
    with local_engine(2, threads=chosen.compiled) as engine:
        catalog = Catalog.open(folder)
        return regenerate(catalog, technology, engine=engine, backend=chosen, progress=lambda _: None)


@pytest.fixture(params=[1 << 18, 4], ids=["part at once", "shards"])
def shards(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are sorted at once, or in shards of a few rows."""
    monkeypatch.setattr(regenerated, "_SHARD_ROWS", request.param)


@pytest.mark.usefixtures("shards")
@pytest.mark.parametrize("backend", [None, REFERENCE], ids=["compiled", "python"])
def test_a_right_catalog_is_as_generated(
    small: BuildResult, parted: BuildResult, monkeypatch: pytest.MonkeyPatch, backend: HashBackend | None
) -> None:
    def reached(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(audit_catalog, "unique_findings", reached)
    for built in (small, parted):
        for name, entry in built.manifest.technologies.items():
            assert equal(built.folder, name, backend) == Regenerated(frozenset(range(entry.parts)), whole=True)
        assert audited(built.folder, backend) == ([], built.manifest.rows)


def test_the_default_catalog_is_as_generated(default: BuildResult) -> None:
    for name in default.manifest.technologies:
        assert equal(default.folder, name).whole


SNP = "sev-snp/launch_digests.parquet"
INDEX = "sev-snp/launch_digests.index"


def check_lie(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """The same findings, some of them, and technologies that are right nevertheless."""
    right: dict[str, Regenerated] = {}

    def noted(catalog: Catalog, technology: str, **options: Any) -> Regenerated:
        right[technology] = regenerate(catalog, technology, **options)
        return right[technology]

    with patch.context() as patched:
        patched.setattr(audit_catalog, "regenerate", noted)
        found = audited(folder)
    assert found[0]
    assert found == row_by_row(folder, patch)
    assert not right["sev-snp"].whole
    assert right["sev-es"].whole


@pytest.mark.parametrize("lie", [*LIES.values(), number("bucket_at", lambda value: value + 1, 1)])
def test_the_same_findings_about_an_index(
    small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: Change
) -> None:
    forged(small, tmp_path / "lie", {INDEX: lie})
    check_lie(tmp_path / "lie", monkeypatch)


@pytest.mark.parametrize("lie", ROW_LIES.values(), ids=ROW_LIES)
def test_the_same_findings_about_rows(
    small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: Change
) -> None:
    """The index leads to the digests where they are now."""
    forged(small, tmp_path / "lie", {SNP: lie, INDEX: pages_of_parts})
    check_lie(tmp_path / "lie", monkeypatch)


def test_rows_that_are_written_anew_are_equal(small: BuildResult, tmp_path: Path) -> None:
    """Else each lie above would be found by how it is written."""
    forged(small, tmp_path / "same", {SNP: in_table(lambda _: None), INDEX: pages_of_parts})
    assert (tmp_path / "same" / SNP).read_bytes() != (small.folder / SNP).read_bytes()
    assert equal(tmp_path / "same", "sev-snp").whole


def test_a_file_with_fewer_rows_than_digests(
    small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages that the index leads to are those of more rows than the table has."""
    groups = DigestPart.groups
    monkeypatch.setattr(DigestPart, "groups", lambda *some, **named: (one.slice(1) for one in groups(*some, **named)))
    assert equal(small.folder, "sev-snp") == Regenerated()
    monkeypatch.setattr(DigestPart, "groups", lambda *_, **__: iter(()))
    assert equal(small.folder, "sev-snp") == Regenerated()


@pytest.mark.parametrize(
    "changes",
    [
        {manifest.FIRMWARE: without_rows},
        {manifest.KERNEL_HASHES: without_rows},
        {manifest.NAMES: lambda path: path.write_bytes(b"?" * 99)},
        {manifest.SPEC: lambda path: path.write_bytes(b"{")},
        {
            manifest.NAME: in_manifest(
                lambda text: text["files"]["sev-snp/launch_digests.index"].update(fsverity="0" * 64)
            )
        },
        {manifest.NAME: in_manifest(lambda text: text["files"]["sev-snp/launch_digests.index"].update(fsverity="?"))},
        {
            manifest.NAME: in_manifest(
                lambda text: text["files"]["sev-snp/launch_digests.parquet"].update(sha256="0" * 64)
            )
        },
    ],
)
def test_the_same_findings_about_other_files(
    small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Change]
) -> None:
    forged(small, tmp_path / "lie", changes)
    found = audited(tmp_path / "lie")
    assert found[0]
    assert found == row_by_row(tmp_path / "lie", monkeypatch)


@pytest.mark.usefixtures("shards")
@pytest.mark.parametrize("seed", range(6))
def test_the_same_findings_about_many_parts(
    parted: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Some parts are changed at random, in one of the ways above; the others are equal to generated rows."""
    chosen = random.Random(seed)
    names = manifest.part_names("sev-snp", parted.manifest.technologies["sev-snp"].parts)
    changed = chosen.sample(range(len(names)), 3)
    lies = chosen.sample([lie for name, lie in ROW_LIES.items() if name != "no table"], 3)
    changes = dict(zip([names[number] for number in changed], lies, strict=True))
    forged(parted, tmp_path / "lie", changes | {INDEX: pages_of_parts})
    assert set(equal(tmp_path / "lie", "sev-snp").parts) == set(range(len(names))) - set(changed)
    remeasure = (None, 0, 7)[seed % 3]
    assert audited(tmp_path / "lie", None, remeasure) == row_by_row(tmp_path / "lie", monkeypatch, remeasure)


@pytest.mark.parametrize("backend", [None, REFERENCE], ids=["compiled", "python"])
def test_few_digests_of_a_right_catalog(parted: BuildResult, backend: HashBackend | None) -> None:
    entries = parted.manifest.technologies.values()
    for remeasure in (0, 7, 1 << 40):
        assert audited(parted.folder, backend, remeasure) == ([], sum(min(remeasure, entry.rows) for entry in entries))


def test_digests_elsewhere_than_the_index_says(small: BuildResult, tmp_path: Path) -> None:
    """Where the digests are in a part is a claim of the index."""
    forged(small, tmp_path / "lie", {SNP: in_table(lambda _: None, 5)})
    assert [(one.rule, one.evidence) for one in audited(tmp_path / "lie")[0]] == [
        ("index", "sev-snp/launch_digests.parquet: the index has other digests of these rows")
    ]


def test_a_full_disk_leaves_it_to_the_other_checks(small: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(direct_io, "open_direct", full)
    monkeypatch.setattr(direct_io.Appended, "append", full)
    assert equal(small.folder, "sev-snp") == Regenerated()
    assert audited(small.folder) == ([], small.manifest.rows)


@pytest.mark.parametrize(
    "change",
    [
        lambda sweeps: sweeps + sweeps[-1:],
        lambda sweeps: (*sweeps[:-1], replace(sweeps[-1], vcpus=(1, 1, 2))),
    ],
    ids=["a sweep twice", "a vCPU count twice"],
)
def test_rows_that_are_built_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Sweeps], Sweeps]
) -> None:
    """All files fit together: only that two rows have the same inputs is wrong."""
    with monkeypatch.context() as patched:
        patched.setattr(
            "catalog.build.builder.cross_product",
            lambda spec: replace(product := cross_product(spec), sweeps=change(product.sweeps)),
        )
        build(write_spec(write_inputs(tmp_path / "inputs"), SMALL), tmp_path / "catalog", backend=REFERENCE)
    found = audited(tmp_path / "catalog", REFERENCE)
    assert found == row_by_row(tmp_path / "catalog", monkeypatch)
    assert "unique" in {one.rule for one in found[0]}
    assert not equal(tmp_path / "catalog", "sev-snp", REFERENCE).whole


def test_parts_with_other_numbers_of_rows(parted: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = manifest.part_names("sev-snp", parted.manifest.technologies["sev-snp"].parts)

    def change(text: Any) -> None:
        text["files"][names[1]]["rows"] += 1
        text["files"][names[2]]["rows"] -= 1

    forged(parted, tmp_path / "lie", {manifest.NAME: in_manifest(change)})
    found = audited(tmp_path / "lie")
    assert found == row_by_row(tmp_path / "lie", monkeypatch)
    assert {one.subject for one in found[0] if one.rule == "table"} == set(names[1:3])
