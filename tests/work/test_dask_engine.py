"""A real Dask cluster of two workers: the same bytes as the local engine, also if a worker is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import LocalCluster

from catalog import __version__
from catalog.build import generation
from catalog.build.builder import BuildResult, build_catalog
from catalog.errors import LdcatError, Unreadable, UsageError
from catalog.launch.hashing.backends import REFERENCE, HashBackend, choose
from catalog.spec.catalog_spec import load_spec
from catalog.state.receipts import Receipts
from catalog.work import dask_engine
from catalog.work.engine import Engine
from catalog.work.progress import Progress, StartProgress
from tests.support.catalogs import contents, no_progress

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),  # each failure starts two more workers
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as opened,
    ):
        yield opened


def test_a_worker_is_killed_in_mid_build(
    cluster: LocalCluster, default: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "_CHUNK", (4000, 4000))
    monkeypatch.setattr(generation, "_CHUNK_IN_PYTHON", 4000)
    workers = {worker.pid for worker in cluster.workers.values()}
    killed: list[int] = []

    def begin(what: str, rows: int) -> Progress:
        done = 0

        def progress(count: int) -> None:
            nonlocal done
            done += count
            if what == "hashed" and not killed and done > rows // 3:
                killed.append(workers.pop())
                os.kill(killed[0], signal.SIGKILL)

        return progress

    with dask_engine.dask_engine(cluster.scheduler_address) as engine:
        built = build_catalog(
            load_spec(None),
            tmp_path / "catalog",
            engine=engine,
            backend=choose(),
            receipts=Receipts(None),
            start_progress=begin,
        )
    assert killed
    assert killed[0] not in {worker.pid for worker in cluster.workers.values()}
    assert contents(built.folder) == contents(default.folder)


def test_workers_of_another_version_are_refused(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_engine, "__version__", "0.0.1")
    with (
        pytest.raises(UsageError, match=f"workers have ldcat {__version__}, and this is 0.0.1"),
        dask_engine.dask_engine(cluster.scheduler_address),
    ):
        pass


def test_a_task_that_kills_every_worker_is_an_error(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "hash_sweeps_elsewhere", die)
    with (
        pytest.raises(LdcatError, match="the Dask cluster gave up"),
        dask_engine.dask_engine(cluster.scheduler_address) as engine,
    ):
        build_catalog(
            load_spec(None),
            tmp_path / "catalog",
            engine=engine,
            backend=REFERENCE,
            receipts=Receipts(None),
            start_progress=no_progress,
        )
    assert not (tmp_path / "catalog").exists()


def built_on(engine: Engine, folder: Path, *, backend: HashBackend, start_progress: StartProgress) -> BuildResult:
    spec, out = load_spec(None), folder / "catalog"
    return build_catalog(
        spec, out, engine=engine, backend=backend, receipts=Receipts(None), start_progress=start_progress
    )


def die(task: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_engine, "_PATIENCE", 1)
    with pytest.raises(Unreadable, match="answers at"), dask_engine.dask_engine("tcp://127.0.0.1:1"):
        pass


@pytest.mark.parametrize("address", ["", "nonsense", "ftp://127.0.0.1:1", "127.0.0.1:8786"])
def test_no_address(address: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a Dask scheduler"), dask_engine.dask_engine(address):
        pass


def test_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_engine, "_PATIENCE", 1)
    with (
        LocalCluster(n_workers=0, dashboard_address=":0") as empty,
        pytest.raises(Unreadable, match="has no worker"),
        dask_engine.dask_engine(empty.scheduler_address),
    ):
        pass


def test_dask_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(UsageError, match="not installed") as error, dask_engine.dask_engine("tcp://127.0.0.1:1"):
        pass
    assert error.value.hint == "pip install 'ldcat[dask]'"
