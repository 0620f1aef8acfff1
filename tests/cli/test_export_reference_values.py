"""`ldcat export` for trustee: names that are refused, the most of a ConfigMap, and what import makes of the files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from tests.support.catalogs import build
from tests.support.cli import Run
from tests.support.published_logs import Place
from tests.support.samples import write_spec

MANY = f"""
name = "many"
firmware = {{ builds = ["sid/ovmf-amdsev/OVMF.amdsev.fd"] }}
[technologies.sev-snp]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = {[0x800F10 + 16 * number for number in range(13)]}
sev_features = [1]
vcpus = ["1-577"]
"""
"""13 times 577 is 7,501 rows."""

SELECTED = ("--vmm", "qemu-kvm-init2", "--vcpus", "1-2", "--launch-unknown", "--no-kernel", "--unenforced")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    folder = tmp_path_factory.mktemp("many")
    return build(write_spec(folder, MANY), folder / "many")


@pytest.mark.parametrize(
    ("to", "option", "value", "why"),
    [
        ("rvps", "--name", "SNP_launch", "'SNP_launch' has upper case: the store LocalFs makes it a file name"),
        ("rvps-file", "--name", 'a"b', "cannot name a reference value"),
        ("configmap", "--name", "a\nb: c", "cannot name a reference value"),
        ("configmap", "--namespace", "a\nb: c", "is no Kubernetes namespace"),
        ("configmap", "--days", "3651", "days"),
    ],
)
def test_what_a_store_cannot_keep_is_refused(
    run: Run, place: Place, tmp_path: Path, to: str, option: str, value: str, why: str
) -> None:
    path = tmp_path / "values"
    code, _, err = run("export", "--to", to, *SELECTED, *place.options(), option, value, "-o", str(path))
    assert code == 2
    (error,) = (line for line in err.splitlines() if line.startswith("ldcat: error: "))
    assert why in error
    assert not list(tmp_path.glob("values*"))


def test_a_config_map_has_at_most_7500_digests(run: Run, many: BuildResult, tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    options = ("--vmm", "qemu-kvm-init2", "--no-kernel", "--unpublished", "--catalog", str(many.folder), "-q")
    code, _, err = run("export", "--to", "configmap", *options, "--vcpus", "1-577", "-o", str(path))
    assert code == 2
    assert "at most 7,500 digests, because of its limit of 1 MiB; 7,501 are selected" in err
    assert not list(tmp_path.glob("map*"))
    assert run("export", "--to", "rvps-file", *options, "--vcpus", "1-577", "-o", str(path))[0] == 0
    assert run("export", "--to", "configmap", *options, "--vcpus", "1-576", "-o", str(path))[0] == 0


@pytest.mark.parametrize("to", ["rvps", "rvps-file"])
def test_import_reads_what_export_wrote(run: Run, place: Place, tmp_path: Path, to: str) -> None:
    path = tmp_path / "values.json"
    assert run("export", "--to", to, *SELECTED, *place.options(), "-o", str(path), "-q")[0] == 0
    code, out, err = run("import", str(path), "--origin", "https://catalog.example", "-f", "json")
    assert code == 0, err
    (document,) = json.loads(out)["documents"]
    sidecar = json.loads((tmp_path / "values.json.ldcat.json").read_text())
    assert len(document["endorsed"]) == sidecar["digests"]["count"]
