"""Reuse: digests of the existing catalog are not hashed again, and the new catalog has the same bytes."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from catalog import __version__
from catalog.build import generation, measuring
from catalog.build.builder import BuildResult
from catalog.launch.hashing.backends import HashBackend
from catalog.rows.launch_config import VcpuSweep
from catalog.state.receipts import Receipts
from catalog.store import row_records
from tests.support.catalogs import build, contents, receipts_of
from tests.support.samples import SMALL, write_spec

WITHOUT_BARE = SMALL.replace('["whole.fd", "twin.fd", "bare.fd"]', '["whole.fd"]')
OTHER_COUNTS = SMALL.replace('vcpus = ["1-3"]', 'vcpus = ["1-2"]', 1)  # under SEV-ES

Hash = Callable[[Sequence[VcpuSweep], Sequence[int], HashBackend], list[row_records.Batch]]


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[VcpuSweep]:
    """Collects the sweeps that are hashed."""
    seen: list[VcpuSweep] = []
    whole: Hash = measuring.measure_sweeps

    def watched(sweeps: Sequence[VcpuSweep], numbers: Sequence[int], backend: HashBackend) -> list[row_records.Batch]:
        seen.extend(sweeps)
        return whole(sweeps, numbers, backend)

    monkeypatch.setattr(generation, "measure_sweeps", watched)
    return seen


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("rows_per_part", [1 << 21, 8])
def test_only_a_new_build_is_hashed(
    inputs: Path, tmp_path: Path, small: BuildResult, hashed: list[VcpuSweep], compiled: bool, rows_per_part: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generation, "ROWS_PER_PART", rows_per_part)
        if not compiled:
            patch.setattr(row_records, "lib", None)
        fresh = build(write_spec(inputs, SMALL), tmp_path / "fresh")
        folder = build(write_spec(inputs, WITHOUT_BARE), tmp_path / "catalog").folder
        whole = {sweep.config.image.sha256 for sweep in hashed[-1:]}
        hashed.clear()
        built = build(write_spec(inputs, SMALL), folder)
    assert [sweep.config.technology for sweep in hashed] == ["sev", "sev-es"]  # bare.fd has no SNP
    assert not {sweep.config.image.sha256 for sweep in hashed} & whole
    assert built.reused == sum(entry.rows for entry in built.manifest.technologies.values()) - 1 - 3
    assert contents(folder) == contents(fresh.folder)


def test_a_sweep_with_other_counts_is_hashed(
    inputs: Path, tmp_path: Path, small: BuildResult, hashed: list[VcpuSweep]
) -> None:
    folder = build(write_spec(inputs, OTHER_COUNTS), tmp_path / "catalog").folder
    hashed.clear()
    build(write_spec(inputs, SMALL), folder)
    assert {(sweep.config.technology, sweep.vcpus) for sweep in hashed} == {("sev-es", (1, 2, 3))}
    assert contents(folder) == contents(small.folder)


def test_nothing_new_means_nothing_hashed(inputs: Path, tmp_path: Path, hashed: list[VcpuSweep]) -> None:
    folder = build(write_spec(inputs, SMALL), tmp_path / "catalog").folder
    before = contents(folder)
    hashed.clear()
    built = build(inputs / "spec.toml", folder)
    assert hashed == []
    assert built.reused == sum(entry.rows for entry in built.manifest.technologies.values())
    assert contents(folder) == before


def test_only_the_needed_rows_are_reused(inputs: Path, tmp_path: Path, hashed: list[VcpuSweep]) -> None:
    expected = contents(build(write_spec(inputs, WITHOUT_BARE), tmp_path / "fresh").folder)
    folder = build(write_spec(inputs, SMALL), tmp_path / "catalog").folder
    hashed.clear()
    build(write_spec(inputs, WITHOUT_BARE), folder)
    assert hashed == []
    assert contents(folder) == expected


def other_generator(folder: Path) -> None:
    text = (folder / "manifest.json").read_bytes().replace(f"ldcat {__version__}".encode(), b"ldcat 0.0.1")
    (folder / "manifest.json").write_bytes(text)
    receipts_of(folder).keep(hashlib.sha256(text).hexdigest())


def not_built_here(folder: Path) -> None:
    """Makes the catalog look fetched, or changed together with its manifest: it is consistent with itself."""
    shutil.rmtree(folder.parent / "receipts")


def damage(name: str, at: int) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[at] ^= 1
        (folder / name).write_bytes(data)

    return change


@pytest.mark.parametrize(
    "change",
    [
        other_generator,
        not_built_here,
        damage("sev-snp/launch_digests.index", -1),
        damage("sev-snp/launch_digests.parquet", 500),
        damage("sev-es/launch_digests.parquet", -1),
        damage("components/names", 20),
    ],
)
def test_an_unusable_catalog_is_not_reused(
    inputs: Path, tmp_path: Path, small: BuildResult, change: Callable[[Path], None]
) -> None:
    folder = build(write_spec(inputs, SMALL), tmp_path / "catalog").folder
    change(folder)
    built = build(inputs / "spec.toml", folder)
    assert built.reused < sum(entry.rows for entry in built.manifest.technologies.values())
    assert contents(folder) == contents(small.folder)


def test_digests_of_another_program_are_not_reused(
    inputs: Path, tmp_path: Path, small: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: Hash = measuring.measure_sweeps

    def wrong(sweeps: Sequence[VcpuSweep], numbers: Sequence[int], backend: HashBackend) -> list[row_records.Batch]:
        made = whole(sweeps, numbers, backend)
        return [row_records.Batch(bytes(byte ^ 1 for byte in b.digests), b.digest_size, b.sweeps) for b in made]

    with monkeypatch.context() as patch:
        patch.setattr(generation, "measure_sweeps", wrong)
        folder = build(write_spec(inputs, SMALL), tmp_path / "catalog").folder
    assert contents(folder) != contents(small.folder)
    built = build(inputs / "spec.toml", folder)
    assert built.reused == 0
    assert contents(folder) == contents(small.folder)


def test_receipts_that_cannot_be_written_are_ignored(tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_bytes(b"")
    for receipts in (Receipts(None), Receipts(nowhere / "folder")):
        receipts.keep("ab" * 32)
        assert not receipts.know("ab" * 32)
    here = Receipts(tmp_path / "a" / "b")
    here.keep("ab" * 32)
    assert here.know("ab" * 32)
    assert not here.know("ba" * 32)
