"""Everybody who builds a spec gets the same leaves and the same root, independent of machine, clock and settings."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from catalog.build import digest_table, generation, index_writer
from catalog.build.builder import BuildResult
from catalog.log.log_folder import LastCheckpoint, LogFolder
from catalog.log.records import ReleaseRecord, parse_record
from catalog.publish.publish import publish
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import TileReader
from tests.support.catalogs import build
from tests.support.logs import NOW, naive_root, signer
from tests.support.samples import SMALL, write_inputs, write_spec

ROOT = Path(__file__).parent.parent.parent
SIGNER = signer("example.com/log")
LATER = 400_000_000
"""Seconds by which the clock of a machine is wrong."""

CLOCK = f"import time\nright = time.time\ntime.time = lambda: right() + {LATER}\n"


@dataclass(frozen=True)
class Machine:
    """How a process is started. settings: environment variables. arguments: of `ldcat build`."""

    settings: dict[str, str]
    arguments: tuple[str, ...] = ()
    umask: str = "022"
    clock: str = ""


MACHINES = {
    "usual": Machine({"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}, ("--processes", "1")),
    "threads": Machine({"LC_ALL": "C", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "1"}, ("--processes", "2")),
    "processes": Machine(
        {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr", "TZ": "America/St_Johns", "PYTHONHASHSEED": "77", "PYTHONUTF8": "0"}
        | {"LDCAT_HASH_BACKEND": "python"},
        ("--processes", "2"),
        umask="077",
        clock=CLOCK,
    ),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each machine, with the catalog that it built and the log that it published."""
    folders = {name: tmp_path_factory.mktemp(name) for name in MACHINES}
    key = folders["usual"] / "key"
    subprocess.run(_ldcat("keygen", "example.com/log", "-o", str(key)), check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    running = [_start(machine, folders[name], key) for name, machine in MACHINES.items()]
    for process in running:
        errors = process.communicate()[1]
        assert process.returncode == 0, errors
    return folders


def _start(machine: Machine, folder: Path, key: Path) -> subprocess.Popen[str]:
    write_spec(write_inputs(folder / "inputs"), SMALL)
    (folder / "sitecustomize.py").write_text(machine.clock)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LDCAT_"))}
    environment |= {"PYTHONPATH": f"{folder}:{ROOT}", "XDG_STATE_HOME": str(folder / "state"), **machine.settings}
    line = 'umask "$1"; key=$2; shift 2; "$@" && exec "$PYTHON" -m catalog publish catalog --log log --key "$key"'
    made = _ldcat("build", *machine.arguments, "--output", "catalog", "inputs/spec.toml")
    return subprocess.Popen(
        ["/bin/sh", "-c", line, "sh", machine.umask, str(key), *made],
        env=environment | {"PYTHON": sys.executable},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ldcat(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "catalog", *arguments]


def leaves(log: LogFolder) -> list[bytes]:
    note = log.checkpoint()
    assert note is not None
    size = Checkpoint.parse(note.text).size
    reader = TileReader(log, size)
    return [leaf for number in range(-(-size // 256)) for leaf in reader.entries(number)]


def release(log: LogFolder) -> ReleaseRecord:
    found = parse_record(leaves(log)[-1])
    assert isinstance(found, ReleaseRecord)
    return found


def published(built: BuildResult, folder: Path) -> tuple[Checkpoint, list[bytes]]:
    """The checkpoint and the rows of a new log of this catalog, published at a fixed time."""
    log, state = LogFolder(folder / "log"), LastCheckpoint(folder / "signed.note")
    return publish(Catalog.open(built.folder), log, [SIGNER], state, now=NOW).checkpoint, leaves(log)[:-1]


@pytest.mark.parametrize("name", [name for name in MACHINES if name != "usual"])
def test_all_machines_publish_the_same_rows(
    places: dict[str, Path], small: BuildResult, tmp_path: Path, name: str
) -> None:
    """Rows and artifacts are the same; only the release record has the time."""
    usual, other = (LogFolder(places[each] / "log") for each in ("usual", name))
    assert naive_root(leaves(usual)[:-1]) == naive_root(leaves(other)[:-1])
    assert len(leaves(usual)) == sum(entry.rows for entry in small.manifest.technologies.values()) + 1
    first, second = release(usual), release(other)
    assert replace_time(first) == replace_time(second)
    assert (second.time > first.time + LATER // 2) == bool(MACHINES[name].clock)


def replace_time(record: ReleaseRecord) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__struct_fields__ if name != "time"}


@pytest.mark.parametrize("name", MACHINES)
def test_equal_times_give_equal_checkpoints(
    places: dict[str, Path], small: BuildResult, tmp_path: Path, name: str
) -> None:
    there = replace(small, folder=places[name] / "catalog")
    assert published(there, tmp_path / name) == published(small, tmp_path / "here")


@pytest.mark.parametrize(("rows_per_part", "row_group"), [(16, 1 << 16), (1 << 21, 16), (32, 5)])
def test_other_parts_and_row_groups_give_the_same_rows(
    small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_per_part: int, row_group: int
) -> None:
    """The files differ, and so does the release record; the rows do not."""
    monkeypatch.setattr(generation, "ROWS_PER_PART", rows_per_part)
    for module in (digest_table, index_writer):
        monkeypatch.setattr(module, "ROW_GROUP", row_group)
    built = build(write_spec(write_inputs(tmp_path / "inputs"), SMALL), tmp_path / "catalog", processes=2)
    (one, rows), (other, same) = published(small, tmp_path / "one"), published(built, tmp_path / "other")
    assert naive_root(rows) == naive_root(same)
    assert one.size == other.size
    manifests = [hashlib.sha256((folder / manifest.NAME).read_bytes()) for folder in (small.folder, built.folder)]
    assert manifests[0].digest() != manifests[1].digest()
    listed = [json.loads((folder / manifest.NAME).read_bytes())["files"] for folder in (small.folder, built.folder)]
    assert (len(listed[0]) < len(listed[1])) == (rows_per_part < 64)
