"""A catalog on disk: its files and their bytes, and that an incomplete catalog never takes its place."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalog.build import generation
from catalog.build.builder import BuildResult
from catalog.errors import LdcatError, UsageError
from catalog.files import folder as folder_module
from catalog.launch.hashing.backends import REFERENCE, HashBackend, choose
from catalog.store import manifest
from catalog.work.progress import Progress
from tests.support.catalogs import build, contents
from tests.support.samples import ENDLESS, ONE_ROW, SMALL, hear_interrupts, write_spec
from tests.support.waiting import until


def digest_files(built: BuildResult) -> dict[str, pq.ParquetFile]:
    return {
        name: pq.ParquetFile(built.folder / name / "launch_digests.parquet") for name in built.manifest.technologies
    }


def test_digests_are_fixed_length_and_sorted(small: BuildResult) -> None:
    for name, file in digest_files(small).items():
        digest = file.schema.column(0)
        assert (digest.name, digest.physical_type) == ("launch_digest", "FIXED_LEN_BYTE_ARRAY")
        assert digest.length == small.manifest.technologies[name].digest_size
        group = file.metadata.row_group(0)
        assert [s.column_index for s in group.sorting_columns] == [0]
        values = file.read()["launch_digest"].to_pylist()
        assert values == sorted(values)
        assert len(values) == small.manifest.technologies[name].rows


def test_columns_are_keyed_by_component_hashes(small: BuildResult) -> None:
    rows = digest_files(small)["sev-snp"].read().to_pylist()
    assert list(rows[0]) == [
        *("launch_digest", "technology", "firmware_sha256", "kernel_hashes_sha256", "vmm"),
        *("bsp_vmsa_sha256", "ap_vmsa_sha256", "vcpu_signature", "sev_features", "vcpus"),
    ]
    for row in rows:
        assert (row["ap_vmsa_sha256"] is None) == (row["vcpus"] == 1)
        assert (row["vcpu_signature"] is None) == row["vmm"].startswith("ec2")
    for row in digest_files(small)["sev"].read().to_pylist():
        assert all(row[name] is None for name in list(row)[4:])


def test_rows_are_unique(small: BuildResult) -> None:
    for file in digest_files(small).values():
        rows = [tuple(row.values()) for row in file.read().to_pylist()]
        assert len(set(rows)) == len(rows)


def test_equal_digests_of_different_configurations_are_all_kept(tmp_path: Path) -> None:
    text = """
    name = "equal"
    firmware = { builds = ["bookworm/ovmf/OVMF.fd"] }
    [technologies.sev-snp]
    vmm = ["qemu-kvm-legacy", "qemu-amdese-2022"]
    vcpu_signatures = ["EPYC"]
    sev_features = [1]
    vcpus = [1]
    """
    built = build(write_spec(tmp_path, text), tmp_path / "catalog")
    rows = digest_files(built)["sev-snp"].read().to_pylist()
    assert len({row["launch_digest"] for row in rows}) == 1
    assert [row["vmm"] for row in rows] == ["qemu-amdese-2022", "qemu-kvm-legacy"]


def test_the_manifest_has_the_hash_of_every_file(small: BuildResult) -> None:
    listed = json.loads((small.folder / "manifest.json").read_bytes())["files"]
    found = {str(p.relative_to(small.folder)) for p in small.folder.rglob("*") if p.is_file()}
    assert found == {*listed, "manifest.json"}
    for name, entry in listed.items():
        data = (small.folder / name).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (entry["sha256"], entry["size"])
        if name.endswith(".parquet"):
            assert pq.read_metadata(small.folder / name).num_rows == entry["rows"]


def test_nothing_of_this_machine_is_in_a_catalog(small: BuildResult) -> None:
    words = [str(small.folder.parent), os.uname().nodename]
    for path in small.folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not [word for word in words if len(word) > 3 and word.encode() in data]


@pytest.mark.parametrize("backend", [choose(), REFERENCE])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_building_again_gives_the_same_bytes(
    small: BuildResult, processes: int, backend: HashBackend, tmp_path: Path
) -> None:
    again = build(small.folder.parent / "spec.toml", tmp_path / "again", processes=processes, backend=backend)
    assert contents(again.folder) == contents(small.folder)


def test_a_catalog_is_replaced_by_a_new_one(inputs: Path, tmp_path: Path) -> None:
    folder = build(write_spec(inputs, SMALL), tmp_path / "catalog").folder
    build(write_spec(inputs, ONE_ROW), folder)
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "components", "sev"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_local_databases_are_kept(inputs: Path, tmp_path: Path) -> None:
    folder = build(write_spec(inputs, SMALL), tmp_path / "catalog").folder
    (folder / "catalog.duckdb").write_bytes(b"views and notes of mine")
    (folder / "catalog.duckdb.wal").write_bytes(b"more")
    build(write_spec(inputs, ONE_ROW), folder)
    assert (folder / "catalog.duckdb").read_bytes() == b"views and notes of mine"
    assert (folder / "catalog.duckdb.wal").read_bytes() == b"more"
    assert not (folder / "sev-snp").exists()


@pytest.mark.parametrize("name", ["components/App.tsx", "sev/notes.txt", "manifest.json", ".git/config"])
def test_a_folder_that_looks_like_a_catalog_is_not_replaced(inputs: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "project" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(UsageError, match="is not part of a catalog"):
        build(write_spec(inputs, ONE_ROW), tmp_path / "project")
    assert path.read_text() == "mine"


def test_a_foreign_file_in_a_catalog_is_not_deleted(inputs: Path, tmp_path: Path) -> None:
    folder = build(write_spec(inputs, ONE_ROW), tmp_path / "catalog").folder
    (folder / "components/mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"components/mine\.txt"):
        build(inputs / "spec.toml", folder)
    assert (folder / "components/mine.txt").read_text() == "mine"


def test_folders_next_to_the_catalog_are_not_taken_over(inputs: Path, tmp_path: Path) -> None:
    spec = write_spec(inputs, ONE_ROW)
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/data").write_text("mine")
    for name in (".one.ldcat-partial", ".one.ldcat-previous"):
        (tmp_path / name).symlink_to(tmp_path / "victim")
        with pytest.raises(UsageError, match="is in the way"):
            build(spec, tmp_path / "one")
        (tmp_path / name).unlink()
    (tmp_path / ".one.ldcat-previous").mkdir()
    (tmp_path / ".one.ldcat-previous/data").write_text("mine")
    with pytest.raises(UsageError, match="it holds 'data'"):
        build(spec, tmp_path / "one")
    assert (tmp_path / "victim/data").read_text() == "mine"
    assert (tmp_path / ".one.ldcat-previous/data").read_text() == "mine"


def test_the_root_folder_cannot_be_a_catalog(inputs: Path) -> None:
    with pytest.raises(UsageError, match="cannot be a catalog"):
        build(write_spec(inputs, ONE_ROW), Path("/"))


def test_a_folder_whose_name_is_not_utf_8(inputs: Path, tmp_path: Path) -> None:
    assert (build(write_spec(inputs, ONE_ROW), tmp_path / "o\udcff").folder / "manifest.json").is_file()


def test_a_mount_point_is_refused_before_the_build_starts(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda _: True)
    with pytest.raises(UsageError, match="is a mount point"):
        build(write_spec(inputs, ONE_ROW), inputs)


def test_the_order_of_a_spec_does_not_matter(inputs: Path, tmp_path: Path) -> None:
    rules = ["[[together]]\nwhen = { vcpus = [3] }\nonly = { sev_features = [1, 0] }\n"]
    rules.append('[[together]]\nwhen = { vmm = ["ec2-*", "gce-*"] }\nonly = { vcpus = ["1-2"] }\n')
    turned = SMALL.replace('["whole.fd", "twin.fd", "bare.fd"]', '["twin.fd", "bare.fd", "whole.fd"]')
    turned = turned.replace("[1, 0x21]", "[0x21, 1]").replace('["none", "mine"]', '["mine", "none"]')
    first = build(write_spec(inputs, SMALL + "".join(rules)), tmp_path / "first")
    second = build(write_spec(inputs, turned + "".join(reversed(rules))), tmp_path / "second", processes=2)
    assert contents(first.folder) == contents(second.folder)


def test_a_folder_with_other_contents_is_not_replaced(inputs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "thesis.txt").write_text("dear")
    before = contents(tmp_path)
    with pytest.raises(UsageError, match=r"thesis\.txt"):
        build(write_spec(inputs, ONE_ROW), folder)
    assert {**contents(tmp_path), **before} == contents(tmp_path)
    with pytest.raises(UsageError, match="is a file"):
        build(inputs / "spec.toml", folder / "thesis.txt")


def test_an_error_leaves_the_old_catalog(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build(write_spec(inputs, ONE_ROW), tmp_path / "catalog").folder
    before = contents(tmp_path / "catalog")
    write_spec(inputs, SMALL)
    monkeypatch.setattr(generation, "measure_sweeps", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build(inputs / "spec.toml", folder)
    assert contents(folder) == before
    assert [p.name for p in tmp_path.iterdir() if "partial" in p.name or "previous" in p.name] == []


def test_a_crash_between_the_two_renames_is_repaired(inputs: Path, tmp_path: Path) -> None:
    folder = build(write_spec(inputs, SMALL), tmp_path / "catalog").folder
    before = contents(folder)
    folder.rename(tmp_path / ".catalog.ldcat-previous")
    with pytest.raises(LdcatError):
        build(inputs / "spec.toml", folder, start_progress=_refuse)
    assert contents(folder) == before


def test_a_partially_removed_folder_is_removed_by_the_next_build(inputs: Path, tmp_path: Path) -> None:
    folder = build(write_spec(inputs, SMALL), tmp_path / "catalog").folder
    previous = tmp_path / ".catalog.ldcat-previous"
    shutil.copytree(folder, previous)
    shutil.rmtree(previous / "sev")
    (previous / "components/names").unlink()
    build(inputs / "spec.toml", folder)
    assert not previous.exists()


def test_the_manifest_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[str] = []
    for name in ("a", "manifest.json", "z"):
        (tmp_path / "old" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "old" / name).touch()
    remove = folder_module._remove

    def watched(path: Path) -> None:
        gone.append(path.name)
        remove(path)

    monkeypatch.setattr(folder_module, "_remove", watched)
    folder_module._discard(tmp_path / "old", "manifest.json")
    assert sorted(gone) == ["a", "manifest.json", "z"]
    assert gone[-1] == "manifest.json"


def _refuse(what: str, rows: int) -> Progress:
    raise LdcatError("no")


def test_two_builds_into_one_folder(inputs: Path, tmp_path: Path) -> None:
    spec = write_spec(inputs, ONE_ROW)

    def second(what: str, rows: int) -> Progress:
        with pytest.raises(UsageError, match="another process is writing"):
            build(spec, tmp_path / "catalog")
        return lambda _: None

    build(spec, tmp_path / "catalog", start_progress=second)
    assert (tmp_path / "catalog" / "manifest.json").is_file()


def test_a_worker_that_dies_is_an_error(tmp_path: Path) -> None:
    killers: list[subprocess.Popen[bytes]] = []

    def kill(what: str, rows: int) -> Progress:
        if not killers:
            killers.append(subprocess.Popen([sys.executable, "-c", KILL_CHILDREN, str(os.getpid())]))
        return lambda _: None

    with pytest.raises(LdcatError, match="a worker process died"):
        build(None, tmp_path / "catalog", processes=2, backend=REFERENCE, start_progress=kill)
    assert killers[0].wait() == 0
    assert not (tmp_path / "catalog").exists()


KILL_CHILDREN = """
import os, signal, sys, time
from pathlib import Path
for _ in range(2000):
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            spawned = b"spawn_main" in (path / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == int(sys.argv[1]) and spawned and path.name != str(os.getpid()):
            os.kill(int(path.name), signal.SIGKILL)
            sys.exit()
    time.sleep(0.005)
"""


def children(parent: int) -> list[int]:
    """The child processes of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(path.parent.name))
        except OSError:  # has ended meanwhile
            continue
    return found


def test_rows_from_disk_are_sent_to_worker_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without compiled code rows are sorted in processes, which cannot receive memory views."""
    monkeypatch.setattr(generation, "_HELD", 1 << 16)
    spec = write_spec(
        tmp_path,
        'name = "many"\nfirmware = { builds = ["sid/ovmf-amdsev/OVMF.amdsev.fd"] }\n[technologies.sev-snp]\n'
        'vmm = ["qemu-kvm-init2"]\nvcpu_signatures = ["EPYC"]\nsev_features = [1, 5, 9]\nvcpus = ["1-1000"]\n',
    )
    made = [build(spec, tmp_path / name, processes=2, backend=choose(name)) for name in ("python", "portable")]
    assert contents(made[0].folder) == contents(made[1].folder)


@pytest.mark.parametrize("backend", ["", "python"])
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_build_leaves_no_partial_catalog(
    by: signal.Signals, backend: str, inputs: Path, tmp_path: Path
) -> None:
    """While components are written and while rows are made: in threads, or in processes without compiled code."""
    spec = write_spec(tmp_path, ENDLESS, "endless.toml")
    folder = build(write_spec(inputs, ONE_ROW), tmp_path / "catalog").folder
    before = contents(folder)
    command = [sys.executable, "-m", "catalog", "build", str(spec), "--output", str(folder), "-q", "--processes", "2"]
    environment = {**os.environ, "LDCAT_HASH_BACKEND": backend}
    on_the_way = tmp_path / ".catalog.ldcat-partial"
    rows = on_the_way / "sev-snp-spill"
    for made in (rows,) if backend else (on_the_way / manifest.NAMES, rows):
        begun = time.time_ns()
        with subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=hear_interrupts,
        ) as process:
            try:
                until(partial(_made_since, begun, made))
                workers = children(process.pid)
            finally:
                process.send_signal(by)
        assert process.returncode != 0
        assert contents(folder) == before
        for pid in workers:
            until(partial(_ended, pid))  # no worker outlives its build
    build(inputs / "spec.toml", folder)
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def _made_since(begun: int, path: Path) -> bool:
    """Whether this build made the path, and not one that was killed earlier, whose folder it removes first."""
    try:
        return path.stat().st_mtime_ns > begun
    except FileNotFoundError:
        return False


def _ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_the_default_catalog(default: BuildResult) -> None:
    assert sum(entry.rows for entry in default.manifest.technologies.values()) >= 150_000
    assert set(default.manifest.technologies) == {"sev", "sev-es", "sev-snp", "tdx"}
    assert default.example is not None
