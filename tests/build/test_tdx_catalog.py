"""A catalog with TDX: its rows are what each build gives, and all that only TDX needs is in one folder."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalog.ask.measure import Workbench
from catalog.ask.measure_request import Request
from catalog.build.builder import BuildResult
from catalog.errors import MalformedRecord
from catalog.fast.packed import PackedCatalog, light_sha256
from catalog.spec.catalog_spec import load_spec
from catalog.spec.counting import count_rows
from catalog.store.catalog import Catalog
from tests.support.catalogs import build, compared, contents
from tests.support.tdvf_builder import CFV_SIZE, SECTIONS, build_tdvf

AMD = """
name = "tdx"
[firmware]
builds = ["sid/*", "bullseye/ovmf/OVMF.fd", "aws-ec2/ovmf_img_1"]
files = ["own.fd", "code.fd", "payload.fd"]
[kernel_hashes]
tables = ["none", "debian-12-installer-text"]
[technologies.sev]
"""
SPEC = AMD + '[technologies.tdx]\nvmm = ["*"]\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tdx")
    (folder / "own.fd").write_bytes(build_tdvf())
    (folder / "code.fd").write_bytes(build_tdvf()[CFV_SIZE:])
    (folder / "payload.fd").write_bytes(build_tdvf((*SECTIONS[:-1], SECTIONS[-1]._replace(kind=4))))
    (folder / "spec.toml").write_text(SPEC)
    (folder / "amd.toml").write_text(AMD)
    return folder


@pytest.fixture(scope="module")
def built(folder: Path) -> BuildResult:
    return build(folder / "spec.toml", folder / "catalog")


def test_every_row_is_what_its_build_gives(built: BuildResult, folder: Path) -> None:
    catalog, bench = Catalog.open(built.folder), Workbench()
    rows = pq.read_table(built.folder / "tdx/launch_digests.parquet").to_pylist()
    names = {one.component.key: name for name, one in catalog.builds.items()}
    for row in rows:
        name = names[row["firmware_sha256"]]
        for reference in [str(folder / name)] if (folder / name).exists() else [name]:
            made = bench.measure(Request(technology="tdx", firmware=reference, vmm=row["vmm"]))
            assert made.digest.value == row["launch_digest"]
        assert {column for column, value in row.items() if value is not None} == {
            "launch_digest",
            "technology",
            "firmware_sha256",
            "vmm",
        }
    assert (
        len(rows) == built.manifest.technologies["tdx"].rows == count_rows(load_spec(folder / "spec.toml"))["tdx"].rows
    )
    assert {(names[row["firmware_sha256"]], row["vmm"]) for row in rows} >= {
        ("own.fd", "gce-tdx-hob-c3-standard-4"),
        ("code.fd", "qemu-tdx"),
        ("payload.fd", "clh-tdx"),
    }


def test_the_reasons_of_what_is_left_out(built: BuildResult) -> None:
    why = {(one.firmware, one.reason): one.points for one in built.manifest.left_out if one.technology == "tdx"}
    assert why["bullseye/ovmf/OVMF.fd", "the image has no TDVF metadata"] == 10
    unknown = "the digest cannot be computed: the TDX facts of the image are not known"
    assert why["aws-ec2/ovmf_img_1", unknown] == 10
    assert why["payload.fd", "qemu-tdx does not know TDVF sections of type PERM_MEM"] == 1
    of_code = [reason for firmware, reason in why if firmware == "code.fd"]
    assert len(of_code) == 6
    assert all("measures the variable store" in reason for reason in of_code)


def test_a_lookup_names_build_and_vmm_on_both_paths(built: BuildResult) -> None:
    packed = PackedCatalog(str(built.folder), light_sha256())
    full = Catalog.open(built.folder)
    for row in pq.read_table(built.folder / "tdx/launch_digests.parquet").to_pylist():
        found = packed.lookup(row["launch_digest"])
        assert {match.technology for match in found} == {"tdx"}
        assert row["vmm"] in {match.vmm for match in found}
        assert {match.firmware["name"] for match in found} <= full.builds.keys()
    packed.close()


def test_the_manifest_is_asked_once_which_names_a_technology_has(
    built: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def lists_file(_: bytes, name: str) -> bool:
        asked.append(name)
        return name == "tdx/names"

    monkeypatch.setattr("catalog.fast.packed.lists_file", lists_file)
    packed = PackedCatalog(str(built.folder), light_sha256())
    for technology in ("sev", "tdx"):
        for row in pq.read_table(built.folder / f"{technology}/launch_digests.parquet").to_pylist():
            packed.lookup(row["launch_digest"])
    assert asked == ["sev/names", "tdx/names"]
    packed.close()


def test_what_only_tdx_needs_is_in_its_folder(built: BuildResult, folder: Path) -> None:
    without = build(folder / "amd.toml", folder / "amd").folder
    with_tdx = contents(built.folder)
    of_spec = {"manifest.json", "components/spec.json", "components/launchable.parquet"}
    of_names = {"components/names", "components/names.merkle"}
    for name, sha256 in contents(without).items():
        assert name in of_spec | of_names or with_tdx[name] == sha256, name
    assert {name for name in with_tdx if name not in contents(without)} == {
        "tdx",
        "tdx/firmware.parquet",
        "tdx/launch_digests.index",
        "tdx/launch_digests.index.merkle",
        "tdx/launch_digests.parquet",
        "tdx/launch_digests.parquet.merkle",
        "tdx/names",
        "tdx/names.merkle",
        "tdx/vmm",
        *(f"tdx/vmm/{name}.toml" for name in load_names(folder)),
    }
    records = pq.read_table(built.folder / "components/firmware.parquet")["record"].to_pylist()
    assert not any("component.tdx" in record for record in records)


def load_names(folder: Path) -> list[str]:
    return [vmm.name for vmm in load_spec(folder / "spec.toml").axes["tdx"].vmm]


def test_a_catalog_is_rebuilt_from_its_components_alone(built: BuildResult, folder: Path) -> None:
    records = folder / "records"
    records.mkdir()
    for one in Catalog.open(built.folder).builds.values():
        (records / f"{one.name.replace('/', '_')}.toml").write_text(one.to_toml())
    text = SPEC.replace('builds = ["sid/*", "bullseye/ovmf/OVMF.fd", "aws-ec2/ovmf_img_1"]\n', "")
    (folder / "again.toml").write_text(text.replace('["own.fd", "code.fd", "payload.fd"]', '["records/*.toml"]'))
    again = build(folder / "again.toml", folder / "again")
    _, rows = compared(built, again)
    assert not rows
    assert contents(again.folder)["tdx/launch_digests.parquet"] == contents(built.folder)["tdx/launch_digests.parquet"]


def test_rows_are_reused(built: BuildResult, folder: Path) -> None:
    again = build(folder / "spec.toml", built.folder)
    assert again.reused == sum(entry.rows for entry in built.manifest.technologies.values())
    assert again.manifest == built.manifest


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[technologies.tdx]\n", "technologies.tdx: no vmm"),
        ('[technologies.tdx]\nvmm = ["qemu-kvm-init2"]\n', "qemu-kvm-init2 does not launch tdx"),
        ('[technologies.tdx]\nvmm = ["qemu-igvm"]\n', "qemu-igvm does not launch tdx"),
        ('[technologies.tdx]\nvmm = ["qemu-tdx"]\nvcpus = [1]\n', "technologies.tdx: vcpus given"),
        ('[technologies.sev-es]\nvmm = ["qemu-tdx"]\nvcpus = [1]\n', "qemu-tdx does not launch sev-es"),
    ],
)
def test_a_spec_names_the_vmms_of_tds_alone(folder: Path, table: str, message: str) -> None:
    (folder / "wrong.toml").write_text(AMD + table)
    with pytest.raises(MalformedRecord, match=message):
        load_spec(folder / "wrong.toml")
