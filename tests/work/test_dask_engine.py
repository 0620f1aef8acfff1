"""A real Dask cluster of two workers: the same bytes as without, also if a worker or the command is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dask
import pytest
from distributed import LocalCluster

from catalog import __version__
from catalog.build.builder import BuildResult, build_catalog
from catalog.build.cluster import cluster_build
from catalog.build.cluster.cluster_build import Cluster
from catalog.errors import LdcatError, Unreadable, UsageError
from catalog.launch.hashing.backends import choose
from catalog.spec.catalog_spec import load_spec
from catalog.state.receipts import Receipts
from catalog.work import dask_engine, workers
from catalog.work.folder_storage import FolderStorage
from catalog.work.object_storage import ObjectStorage
from catalog.work.progress import Progress
from catalog.work.storage import Storage
from tests.support.catalogs import build, contents, no_progress
from tests.support.samples import LONGER, write_inputs, write_spec

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),  # each failure starts two more workers
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as opened,
    ):
        yield opened


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return write_spec(write_inputs(tmp_path / "inputs"), LONGER)


def built_on(
    cluster: LocalCluster, spec: Path, storage: Storage, *, begin: Callable[[str, int], Progress] = no_progress
) -> BuildResult:
    with dask_engine.dask_engine(cluster.scheduler_address, storage) as engine:
        return build_catalog(
            load_spec(spec),
            spec.parent.parent / "catalog",
            engine=engine,
            backend=choose(),
            receipts=Receipts(None),
            start_progress=begin,
            cluster=Cluster(storage, None),
        )


def test_a_worker_is_killed_in_mid_build(cluster: LocalCluster, spec: Path, tmp_path: Path) -> None:
    pids = {worker.pid for worker in cluster.workers.values()}
    killed: list[int] = []

    def begin(what: str, rows: int) -> Progress:
        def progress(count: int) -> None:
            if what == "hashed" and not killed and count:
                killed.append(pids.pop())
                os.kill(killed[0], signal.SIGKILL)

        return progress

    shared = FolderStorage(str(tmp_path / "shared"))
    built = built_on(cluster, spec, shared, begin=begin)
    assert killed
    assert killed[0] not in {worker.pid for worker in cluster.workers.values()}
    assert contents(built.folder) == contents(build(spec, tmp_path / "local").folder)
    assert list((tmp_path / "shared").iterdir()) == []


def test_the_command_is_killed_and_goes_on(cluster: LocalCluster, spec: Path, tmp_path: Path) -> None:
    """It is killed as soon as something is in its journal."""
    state, work = tmp_path / "state", tmp_path / "shared"
    command = [
        sys.executable,
        "-m",
        "catalog",
        "build",
        str(spec),
        "-o",
        str(tmp_path / "catalog"),
        "--storage",
        str(work),
    ]
    command += ["--engine", "dask", "--scheduler", cluster.scheduler_address]
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            if any(path.stat().st_size > 100 for path in state.rglob("ldcat-*")):
                process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "catalog").exists()
    (job,) = [path for path in work.iterdir() if not path.name.startswith("ldcat-probe")]
    assert list(job.glob("*-hashed-*"))
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    assert "goes on" in done.stderr
    assert contents(tmp_path / "catalog") == contents(build(spec, tmp_path / "local").folder)
    assert list(work.iterdir()) == list((state / "ldcat" / "cluster").iterdir()) == []


@pytest.mark.parametrize("package", ["ldcat", "pyarrow"])
def test_workers_of_another_version_are_refused(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    ours = workers._versions()
    monkeypatch.setattr(workers, "_versions", lambda: {**ours, package: "0.0.1"})
    with (
        pytest.raises(UsageError, match=f"workers have {package} {ours[package]}, and this is 0.0.1"),
        dask_engine.dask_engine(cluster.scheduler_address, FolderStorage(str(tmp_path))),
    ):
        pass
    assert ours["ldcat"] == __version__
    assert list(tmp_path.iterdir()) == []


def test_storage_that_is_another_one_for_the_workers(cluster: LocalCluster, tmp_path: Path) -> None:
    with (
        pytest.raises(Unreadable, match="it does not see what this process wrote there") as error,
        dask_engine.dask_engine(cluster.scheduler_address, ObjectStorage(f"memory://{tmp_path.name}")),
    ):
        pass
    assert "--storage" in (error.value.hint or "")


def test_a_task_that_kills_every_worker_is_an_error(
    cluster: LocalCluster, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_build, "hash_piece", die)
    with pytest.raises(LdcatError, match="the Dask cluster gave up"):
        built_on(cluster, spec, FolderStorage(str(tmp_path / "shared")))
    assert not (tmp_path / "catalog").exists()


def die(task: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_no_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_engine, "_PATIENCE", 1)
    with (
        pytest.raises(Unreadable, match="answers at"),
        dask_engine.dask_engine("tcp://127.0.0.1:1", FolderStorage(str(tmp_path))),
    ):
        pass


@pytest.mark.parametrize("address", ["", "nonsense", "ftp://127.0.0.1:1", "127.0.0.1:8786"])
def test_no_address(tmp_path: Path, address: str) -> None:
    with (
        pytest.raises(UsageError, match="is not the address of a Dask scheduler"),
        dask_engine.dask_engine(address, FolderStorage(str(tmp_path))),
    ):
        pass


def test_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_engine, "_PATIENCE", 1)
    with (
        LocalCluster(n_workers=0, dashboard_address=":0") as empty,
        pytest.raises(Unreadable, match="has no worker"),
        dask_engine.dask_engine(empty.scheduler_address, FolderStorage(str(tmp_path))),
    ):
        pass


def test_dask_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with (
        pytest.raises(UsageError, match="not installed") as error,
        dask_engine.dask_engine("tcp://127.0.0.1:1", FolderStorage(str(tmp_path))),
    ):
        pass
    assert error.value.hint == "pip install 'ldcat[dask]'"
