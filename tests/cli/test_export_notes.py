"""Notes of `ldcat export` on what was selected: what tells the rows apart, and which export a file replaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.export.sidecar import read_sidecar
from tests.support.catalogs import made
from tests.support.cli import Run

FEATURES = """
name = "features"
firmware = { builds = ["bookworm/ovmf/OVMF_CODE.fd"] }

[technologies.sev-snp]
vmm = ["qemu-kvm-init2", "qemu-kvm-legacy"]
vcpu_signatures = ["EPYC"]
sev_features = [1, 0x21, 0x201]
vcpus = ["1-8"]
"""
LINE = ("export", "--to", "rvps", "--vmm", "qemu-kvm-init2", "--no-kernel", "--launch-unknown", "--unpublished")


@pytest.fixture
def built(tmp_path: Path) -> BuildResult:
    return made(tmp_path, FEATURES)


def test_what_tells_the_rows_apart_is_noted(run: Run, built: BuildResult, tmp_path: Path) -> None:
    catalog, path = ("--catalog", str(built.folder)), tmp_path / "values.json"
    code, _, err = run(*LINE, "--vcpus", "1-8", *catalog, "-o", str(path))
    said = "the 24 launch digests differ in sev_features (0x1, 0x21, 0x201) and vCPUs (1-8)"
    assert (code, f"ldcat: note: {said}\n" in err) == (0, True)
    sidecar = read_sidecar(path.with_name("values.json.ldcat.json").read_bytes(), "sidecar")
    assert [note.text for note in sidecar.notes if note.code == "rows-differ"] == [said]
    code, _, err = run(*LINE, "--vcpus", "1-2,4", "--sev-features", "0x1", *catalog)
    assert (code, "the 3 launch digests differ in vCPUs (1-2, 4)\n" in err) == (0, True)
    code, _, err = run(*LINE, "--vcpus", "1", "--sev-features", "0x1", *catalog)
    assert (code, "differ in" in err) == (0, False)


def test_replacing_an_export_of_another_selection_is_a_warning(run: Run, built: BuildResult, tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    rest = ("--catalog", str(built.folder), "-q", "-o", str(path))
    replaced = "ldcat: warning: values.json is replaced, which was exported with "
    narrow = (*LINE, "--vcpus", "1-8", "--sev-features", "0x1", *rest)
    for _ in range(2):
        code, _, err = run(*narrow)
        assert (code, replaced in err) == (0, False)
    code, _, err = run(*LINE, "--vcpus", "1-8", *rest)
    assert (code, f"{replaced}another selection (sev-features)\n" in err) == (0, True)
    code, _, err = run(*(word if word != "rvps" else "rvps-file" for word in narrow))
    assert (code, f"{replaced}the format rvps and another selection (sev-features)\n" in err) == (0, True)
    path.with_name("values.json.ldcat.json").write_text("{}")
    assert replaced not in run(*narrow)[2]
