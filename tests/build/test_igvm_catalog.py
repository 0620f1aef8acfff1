"""A catalog of a folder of IGVM files: its rows are what the files give one by one, also from their records alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from catalog.ask.measure import Workbench
from catalog.ask.measure_request import Request
from catalog.build.builder import BuildResult
from catalog.errors import MalformedRecord
from catalog.firmware.igvm.igvm_component import IgvmComponent
from catalog.launch.hashing.backends import HashBackend
from catalog.spec import embedded
from catalog.spec.catalog_spec import load_spec
from catalog.spec.counting import count_rows
from catalog.spec.cross_product import cross_product
from catalog.spec.joined_builds import joined_builds
from catalog.store.catalog import Catalog
from catalog.store.manifest import part_names
from tests.support.catalogs import build, compared, contents
from tests.support.igvm_files import FILES, KERNEL, SPEC, write_igvm_files


def rows(built: BuildResult) -> list[dict[str, Any]]:
    """Every row, with its technology."""
    found = []
    for technology, entry in built.manifest.technologies.items():
        for name in part_names(technology, entry.parts):
            found += [{"technology": technology, **row} for row in pq.read_table(built.folder / name).to_pylist()]
    return found


def asked(row: dict[str, Any], firmware: str) -> Request:
    kernel: dict[str, Any] = {} if row["kernel_hashes_sha256"] is None else {"kernel_sha256": KERNEL, "append": "quiet"}
    axes = {name: row[name] for name in ("technology", "vmm", "vcpus", "vcpu_signature")}
    return Request(firmware=firmware, **axes, **kernel)


def test_every_row_is_what_its_file_gives(igvm_files: BuildResult) -> None:
    catalog = Catalog.open(igvm_files.folder)
    assert len(catalog.builds) == FILES
    names = {build.component.key: name for name, build in catalog.builds.items()}
    folder, bench = igvm_files.folder.parent / "inputs", Workbench(catalog.builds)
    found = rows(igvm_files)
    for row in found:
        name = names[row["firmware_sha256"]]
        assert row["sev_features"] is None
        assert bench.measure(asked(row, str(folder / name))).digest.value == row["launch_digest"]
        assert bench.measure(asked(row, name)).digest.value == row["launch_digest"]
    by_loader = Counter((row["technology"], row["vmm"]) for row in found)
    launched = {vmm for technology, vmm in by_loader if technology == "sev-snp"}
    assert launched == embedded.loaders().keys()
    assert by_loader["sev", "qemu-igvm"] == 1
    assert by_loader["sev-es", "qemu-igvm"] == 1 + 2 + 3
    inputs = [
        tuple(
            row[name]
            for name in ("technology", "firmware_sha256", "kernel_hashes_sha256", "vmm", "vcpus", "vcpu_signature")
        )
        for row in found
    ]
    assert len(inputs) == len(set(inputs))


def test_rows_vary_in_what_is_measured_alone(igvm_files: BuildResult) -> None:
    names = {one.component.key: Path(name).stem for name, one in Catalog.open(igvm_files.folder).builds.items()}
    of: defaultdict[tuple[str, str], list[tuple[int | None, int | None]]] = defaultdict(list)
    for row in rows(igvm_files):
        if row["kernel_hashes_sha256"] is None:
            of[names[row["firmware_sha256"]], row["vmm"]].append((row["vcpus"], row["vcpu_signature"]))
    milan, genoa = (embedded.vcpu_types().signature(name).value for name in ("EPYC-Milan", "EPYC-Genoa"))
    of_both = {(count, signature) for count in (3, 4, 5) for signature in (milan, genoa)}
    assert set(of["contexts-2", "qemu-igvm"]) == {(2, None)} | of_both
    assert set(of["gap", "qemu-igvm"]) == of_both
    assert set(of["contexts-2", "clh-kvm-igvm"]) == {(2, None), (3, None), (4, None), (5, None)}
    assert of["contexts-2", "hyperv-igvm"] == [(None, None)]
    assert ("madt", "qemu-igvm") not in of
    assert ("madt", "qemu-11-igvm") in of
    assert ("tdx", "hyperv-igvm") not in of


def test_what_cannot_be_launched_is_left_out_with_its_reason(igvm_files: BuildResult) -> None:
    reasons = {(one.firmware, one.reason): one.points for one in igvm_files.manifest.left_out}
    assert reasons["files/madt.igvm", "qemu-igvm does not know headers of type MADT"] == 1
    few = "the file has a context for vCPU 2, and the guest has fewer vCPUs"
    assert reasons["files/contexts-3.igvm", few] == 2 * 2 + 2 * 2  # QEMU's two; clh-kvm-igvm with and without a kernel
    assert reasons["files/tdx.igvm", "the file has no platform for sev, only TDX"] == 1


def test_the_size_is_known_before(igvm_files: BuildResult) -> None:
    spec = load_spec(igvm_files.folder.parent / "inputs" / "spec.toml")
    counts = {name: one.rows for name, one in count_rows(spec).items()}
    assert counts == {name: entry.rows for name, entry in igvm_files.manifest.technologies.items()}
    sweeps = Counter(sweep.config.technology for sweep in cross_product(spec).sweeps)
    assert {name: one.sweeps for name, one in count_rows(spec).items()} == sweeps


def test_the_same_bytes_by_every_way(igvm_files: BuildResult, tmp_path: Path) -> None:
    spec = igvm_files.folder.parent / "inputs" / "spec.toml"
    by_python = build(spec, tmp_path / "python", backend=HashBackend("python", "python"))
    assert contents(by_python.folder) == contents(igvm_files.folder)
    records = tmp_path / "records"
    (records / "files").mkdir(parents=True)
    for name, one in Catalog.open(igvm_files.folder).builds.items():
        (records / f"{name}.toml").write_text(one.to_toml())
    (records / "spec.toml").write_text(SPEC.replace("*.igvm", "*.toml"))
    from_records = build(records / "spec.toml", tmp_path / "from-records")
    for technology in igvm_files.manifest.technologies:
        name = f"{technology}/launch_digests.parquet"
        assert (from_records.folder / name).read_bytes() == (igvm_files.folder / name).read_bytes()


def other(tmp_path: Path, name: str, change: Callable[[str], str]) -> BuildResult:
    """A catalog of the same files by another spec."""
    spec = write_igvm_files(tmp_path / f"{name}-in")
    spec.write_text(change(SPEC))
    return build(spec, tmp_path / name)


def test_what_is_not_measured_stays_null_in_a_diff(igvm_files: BuildResult, tmp_path: Path) -> None:
    fewer = other(tmp_path, "fewer", lambda text: text.replace('vmm = ["*"]', 'vmm = ["qemu*", "clh*", "igvm-spec"]'))
    found, changes = compared(igvm_files, fewer)
    gone = [row for row in rows(igvm_files) if row["vmm"] in ("coconut-igvm", "hyperv-igvm", "vanadium-igvm")]
    assert {row["change"] for row in changes} == {"withdrawn"}
    assert len(changes) == len(gone)
    assert {(row["vcpus"], row["sev_features"], row["vcpu_signature"]) for row in changes} == {(None, None, None)}
    assert not [group for group in found.groups if "0x0" in group.summary(found.kernels)]
    back, changes = compared(fewer, igvm_files)
    assert {(row["change"], row["vcpus"], row["sev_features"]) for row in changes} == {("added", None, None)}
    assert sum(group.rows for group in back.groups) == len(gone)


def test_files_without_any_row_are_named(igvm_files: BuildResult, tmp_path: Path) -> None:
    assert igvm_files.without_rows == {"files/tdx.igvm": "the file has no platform for sev-snp, only TDX"}
    images = other(
        tmp_path,
        "images",
        lambda text: text.replace('["files/*.igvm"]', '["files/sev.igvm"]').replace(
            '[technologies.sev]\nvmm = ["qemu-igvm"]', "[technologies.sev]"
        ),
    )
    none = "the spec names no loader of IGVM files for it"
    assert [one.firmware for one in images.manifest.left_out if one.technology == "sev"] == ["files/sev.igvm"]
    assert {one.reason for one in images.manifest.left_out if one.technology == "sev"} == {none}
    assert images.without_rows == {"files/sev.igvm": none}
    silent = [one for one in igvm_files.manifest.left_out if one.reason.startswith("no kernel hashes are passed")]
    assert {(one.technology, one.points) for one in silent} == {("sev", 1), ("sev-es", 1), ("sev-snp", 7)}


def test_pages_of_aps_do_not_depend_on_what_is_left_of_another_kernel(igvm_files: BuildResult, tmp_path: Path) -> None:
    rule = '[[together]]\nwhen = { kernel_hashes = ["none"], vmm = ["clh-kvm-igvm"] }\nonly = { vcpus = [1] }\n'
    fewer = rows(other(tmp_path, "together", lambda text: text + rule))
    whole = rows(igvm_files)
    assert 0 < len(fewer) < len(whole)
    assert [row for row in fewer if row not in whole] == []
    of_clh = [row for row in fewer if row["vmm"] == "clh-kvm-igvm" and row["vcpus"] == 5]
    assert [row for row in of_clh if row["ap_vmsa_sha256"]]


def test_a_record_of_fewer_loaders_is_joined_with_its_file(igvm_files: BuildResult, tmp_path: Path) -> None:
    build_of_file = Catalog.open(igvm_files.folder).builds["files/contexts-1.igvm"]
    component = build_of_file.component
    assert isinstance(component, IgvmComponent)
    snp = component.platforms["sev-snp"]
    (rules, state), *_ = snp.states.items()
    older = replace(component, platforms={"sev-snp": replace(snp, states={rules: state}, kernel_pages={})})
    joined = joined_builds([replace(build_of_file, name="old", component=older), build_of_file])
    assert [one.component for one in joined] == [component, component]
    wrong = replace(component, platforms={"sev-snp": replace(snp, policy=7)})
    with pytest.raises(MalformedRecord, match="old: another build of the same image has other facts"):
        joined_builds([build_of_file, replace(build_of_file, name="old", component=wrong)])
