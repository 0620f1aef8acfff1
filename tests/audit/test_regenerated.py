"""An audit that compares with generated rows finds what the checks of single rows find, and needs none of them if all
is right.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.audit import audit_catalog, regenerated
from catalog.audit.audit import AuditFinding
from catalog.audit.audit_catalog import catalog_findings
from catalog.audit.regenerated import Regenerated, regenerate
from catalog.build.builder import BuildResult
from catalog.files import direct_io
from catalog.launch.hashing.backends import REFERENCE, HashBackend, choose
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.work.engine import local_engine
from tests.store.test_index_faults import LIES
from tests.support.catalogs import no_progress
from tests.support.forged_catalogs import Change, another_column, forged, in_manifest, one_digest, without_rows


def audited(folder: Path, backend: HashBackend | None = None) -> tuple[list[AuditFinding], int]:
    """All findings, and how many digests were recomputed."""
    counted: list[int] = []
    chosen = backend or choose()
    with local_engine(2, threads=chosen.compiled) as engine:
        found = catalog_findings(
            Catalog.open(folder),
            [],
            None,
            engine=engine,
            backend=chosen,
            start_progress=no_progress,
            recomputed=counted.append,
        )
        return list(dict.fromkeys(found)), sum(counted)


def row_by_row(folder: Path, patch: pytest.MonkeyPatch) -> tuple[list[AuditFinding], int]:
    """The same by the checks of single rows alone."""
    with patch.context() as patched:
        patched.setattr(audit_catalog, "regenerate", lambda *_, **__: Regenerated())
        return audited(folder)


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

    monkeypatch.setattr(audit_catalog, "inputs_seen", reached)
    for built in (small, parted):
        for name, entry in built.manifest.technologies.items():
            assert equal(built.folder, name, backend) == Regenerated(frozenset(range(entry.parts)), whole=True)
        assert audited(built.folder, backend) == ([], built.manifest.rows)


def test_the_default_catalog_is_as_generated(default: BuildResult) -> None:
    for name in default.manifest.technologies:
        assert equal(default.folder, name).whole


def in_table(change: Callable[[list[dict[str, Any]]], object], group: int = 5) -> Change:
    """Changes the rows of a part, of which so many become a row group."""

    def changed(path: Path) -> None:
        schema = pq.read_schema(path)
        rows = pq.read_table(path).to_pylist()
        change(rows)
        pq.write_table(pa.Table.from_pylist(rows, schema), path, store_schema=False, row_group_size=group)

    return changed


def swapped(rows: list[dict[str, Any]]) -> None:
    rows[0], rows[-1] = rows[-1], rows[0]


def digests_swapped(rows: list[dict[str, Any]]) -> None:
    rows[0]["launch_digest"], rows[1]["launch_digest"] = rows[1]["launch_digest"], rows[0]["launch_digest"]


def twice(rows: list[dict[str, Any]]) -> None:
    rows[1].update({name: value for name, value in rows[0].items() if name != "launch_digest"})


def last_bit(rows: list[dict[str, Any]]) -> None:
    digest = rows[-1]["launch_digest"]
    rows[-1]["launch_digest"] = digest[:-1] + bytes([digest[-1] ^ 1])


ROW_LIES: dict[str, Change] = {
    "a digest": one_digest,
    "the last bit of a digest": in_table(last_bit),
    "two rows": in_table(swapped),
    "two digests": in_table(digests_swapped),
    "inputs twice": in_table(twice),
    "a row twice": in_table(lambda rows: rows.insert(1, dict(rows[0]))),
    "a row less": in_table(lambda rows: rows.pop(2)),
    "no rows": without_rows,
    "no table": lambda path: pq.write_table(pa.table({"a": [1]}), path),
    "firmware": another_column("firmware_sha256", bytes(32)),
    "no firmware": another_column("firmware_sha256", None),
    "kernel hashes": another_column("kernel_hashes_sha256", bytes(32)),
    "no kernel hashes": in_table(lambda rows: [row.update(kernel_hashes_sha256=None) for row in rows]),
    "profile": another_column("vmm", "nobody"),
    "vCPU count": another_column("vcpus", 9),
    "too many vCPUs": another_column("vcpus", 5000),
    "no vCPU count": another_column("vcpus", None),
    "signature": another_column("vcpu_signature", 1),
    "no signature": another_column("vcpu_signature", None),
    "features": another_column("sev_features", 5),
    "hash of a page": another_column("bsp_vmsa_sha256", bytes(32)),
    "hash of a page that there is none of": in_table(
        lambda rows: [row.update(ap_vmsa_sha256=bytes(32)) for row in rows if row["ap_vmsa_sha256"] is None]
    ),
    "kernel hashes that there are none of": in_table(
        lambda rows: [row.update(kernel_hashes_sha256=bytes(32)) for row in rows if not row["kernel_hashes_sha256"]]
    ),
    "no hash of a page": another_column("ap_vmsa_sha256", None),
    "technology": another_column("technology", "sev"),
}


@pytest.mark.parametrize(
    ("name", "lie"),
    [
        *(pytest.param("parquet", lie, id=f"row: {what}") for what, lie in ROW_LIES.items()),
        *(pytest.param("index", lie, id=f"index: {what}") for what, lie in LIES.items()),
    ],
)
def test_the_same_findings_as_row_by_row(
    small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, lie: Change
) -> None:
    forged(small, tmp_path / "lie", {f"sev-snp/launch_digests.{name}": lie})
    found = audited(tmp_path / "lie")
    assert found[0]
    assert found == row_by_row(tmp_path / "lie", monkeypatch)
    assert not equal(tmp_path / "lie", "sev-snp").whole
    assert equal(tmp_path / "lie", "sev-es").whole


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
    lies = chosen.sample(sorted(ROW_LIES), 3)
    sizes = [parted.manifest.files[names[number]].rows or 0 for number in changed]
    assert all(size > 2 for size in sizes)
    forged(parted, tmp_path / "lie", {names[number]: ROW_LIES[lie] for number, lie in zip(changed, lies, strict=True)})
    assert set(equal(tmp_path / "lie", "sev-snp").parts) == set(range(len(names))) - set(changed)
    assert audited(tmp_path / "lie") == row_by_row(tmp_path / "lie", monkeypatch)


def test_rows_in_other_row_groups_are_not_equal_to_the_index(small: BuildResult, tmp_path: Path) -> None:
    """Where the digests are in a part is a claim of the index."""
    forged(small, tmp_path / "lie", {"sev-snp/launch_digests.parquet": in_table(lambda _: None)})
    assert [(one.rule, one.evidence) for one in audited(tmp_path / "lie")[0] if one.rule != "tree"] == [
        ("index", "sev-snp/launch_digests.parquet: the index has other digests of these rows")
    ]


def test_a_full_disk_leaves_it_to_the_other_checks(small: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(direct_io, "open_direct", full)
    monkeypatch.setattr(direct_io.Appended, "append", full)
    assert equal(small.folder, "sev-snp") == Regenerated()
    assert audited(small.folder) == ([], small.manifest.rows)
