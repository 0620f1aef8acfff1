"""What a build on a Dask cluster costs beside a local one: two workers of one thread, and a folder that they share."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from catalog.build.builder import build_catalog
from catalog.build.cluster.cluster_build import Cluster
from catalog.launch.hashing.backends import choose
from catalog.spec.catalog_spec import load_spec
from catalog.state.receipts import Receipts
from catalog.work.engine import Engine, local_engine
from catalog.work.folder_storage import FolderStorage
from tools.bench.builds import large_spec
from tools.bench.catalogs import Catalogs

FEW = 1000
ROUNDS = 3


@dataclass(frozen=True)
class Cost:
    """One build as a command. cpu: seconds of the command alone. moved: bytes through the scheduler."""

    seconds: float
    cpu: float
    moved: int = 0


@dataclass(frozen=True)
class ClusterCost:
    """A build of `rows` on a cluster.

    moved: bytes a row between the command, the scheduler and the workers.
    driver: CPU of the command beyond that of a build of FEW rows, as a part of a local build's.
    wall: time beyond that of a build of FEW rows, likewise.
    tasks: nanoseconds of CPU a row, by kind of task.
    """

    rows: int
    moved: float
    driver: float
    wall: float
    tasks: dict[str, float]


def cluster_cost(folder: Path, rows: int) -> ClusterCost:
    """Build few rows and many, without a cluster and with one, in turn; the least of each counts."""
    folder.mkdir()
    specs = {FEW: large_spec(1).replace("1-4096", f"1-{FEW // 5}"), rows: large_spec(rows)}
    for count, text in specs.items():
        (folder / f"{count}.toml").write_text(text)
    best: dict[tuple[int, bool], Cost] = {}
    with _cluster(folder / "workers") as (address, relay):
        for number in range(ROUNDS):
            for count in specs:
                for on_cluster in (False, True):
                    state = folder / f"state-{number}-{count}-{on_cluster}"  # nothing is reused
                    options = ("--engine", "dask", "--scheduler", address) if on_cluster else ()
                    before = relay.moved
                    cost = _command(folder / f"{count}.toml", folder / f"{count}-{on_cluster}", state, options)
                    cost = replace(cost, moved=relay.moved - before)
                    least = best.setdefault((count, on_cluster), cost)
                    best[count, on_cluster] = Cost(*map(min, vars(least).values(), vars(cost).values()))
    local, few, many = best[rows, False], best[FEW, True], best[rows, True]
    return ClusterCost(
        rows,
        many.moved / rows,
        (many.cpu - few.cpu) / local.cpu,
        (many.seconds - few.seconds) / local.seconds,
        task_costs(folder / f"{rows}.toml", folder / "tasks", rows),
    )


def task_costs(spec: Path, folder: Path, rows: int) -> dict[str, float]:
    """Nanoseconds of CPU a row of each kind of task, run one after the other in this process."""
    spent = Counter[str]()
    folder.mkdir()
    run = Engine.run

    def timed(engine: Engine, function: Callable[[Any], Any], tasks: Any) -> Any:
        def called(task: Any) -> Any:
            before = time.thread_time_ns()
            made = function(task)
            spent[function.__name__.strip("_")] += time.thread_time_ns() - before
            return made

        return run(engine, called, tasks)

    Engine.run = timed  # type: ignore[assignment]
    try:
        with local_engine(1, threads=True) as engine:
            build_catalog(
                load_spec(spec),
                folder / "catalog",
                engine=replace(engine, ahead=1),
                backend=choose(),
                receipts=Receipts(None),
                start_progress=lambda _, __: lambda _: None,
                cluster=Cluster(FolderStorage(str(folder)), None),
            )
    finally:
        Engine.run = run  # type: ignore[method-assign]
    return {name: spent[name] / rows for name in ("hash_piece", "write_shard", "join_index")}


def cluster_lines(catalogs: Catalogs) -> list[str]:
    """As Markdown."""
    with catalogs.scratch() as folder:
        found = cluster_cost(folder / "cluster", catalogs.rows)
    return [
        f"| a cluster of two workers, {found.rows:,} SEV-SNP rows | |",
        "|---|---|",
        f"| bytes a row through command and scheduler | {found.moved:.3f} |",
        f"| CPU of the command beyond that for {FEW:,} rows, times that of a local build | {found.driver:.3f} |",
        f"| time beyond that for {FEW:,} rows, times that of a local build | {found.wall:.2f} |",
        *(f"| {name}: nanoseconds of CPU a row | {cost:.0f} |" for name, cost in found.tasks.items()),
    ]


def _command(spec: Path, out: Path, state: Path, options: tuple[str, ...]) -> Cost:
    command = [sys.executable, "-m", "catalog", "build", str(spec), "-o", str(out), "--quiet", *options]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.perf_counter() - started, cpu)


class _Relay:
    """Passes connections on to the scheduler, and counts the bytes in both directions."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self.moved = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            far = socket.create_connection(("127.0.0.1", self._port))
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
                with self._lock:
                    self.moved += len(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:  # the other side has ended
            return


@contextmanager
def _cluster(folder: Path) -> Iterator[tuple[str, _Relay]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with ExitStack() as running:
        _start(running, "scheduler", "--port", str(port), "--no-dashboard")
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        relay = _Relay(port)
        options = ("--nworkers", "2", "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder))
        _start(running, "worker", relay.address, *options)
        time.sleep(8)  # both have to be there
        yield relay.address, relay


def _start(running: ExitStack, what: str, *options: str) -> None:
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    running.callback(process.wait)
    running.callback(process.terminate)
