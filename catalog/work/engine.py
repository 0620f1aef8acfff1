"""Engines: where the work of a build runs. Each is an executor of concurrent.futures with a limited queue of tasks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, TypeVar

from catalog.errors import OutOfMemory
from catalog.files.direct_io import keep_freed_memory

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Engine:
    """An executor with a limited queue.

    executor: of concurrent.futures.
    ahead: most tasks that are submitted at a time, so that not all are in memory.
    in_process: whether tasks run in this process, so that they may use objects that cannot be sent to another one.
    writers: threads of this process that write the results.
    """

    executor: Executor
    ahead: int
    in_process: bool
    writers: int = 1

    def run(
        self, function: Callable[[Task], Result], tasks: Iterable[Task]
    ) -> Generator[tuple[int, Result], None, None]:
        """The number and the result of each task, in the order in which they finish; tasks are drawn as needed.

        Close it, so that no task is left running in this process. Tasks of other processes are not cancelled: a pool
        does not survive that if its workers are terminated afterwards. Raises the errors of the tasks, and OutOfMemory
        if a worker died.
        """
        waiting: dict[Future[Result], int] = {}
        try:
            for number, task in enumerate(tasks):
                waiting[self.executor.submit(function, task)] = number
                if len(waiting) >= self.ahead:
                    yield from _done(waiting)
            while waiting:
                yield from _done(waiting)
        except BrokenProcessPool as error:
            raise OutOfMemory("a worker process died", "most likely for want of memory: try --processes 1") from error
        finally:
            if self.in_process:
                for future in waiting:
                    future.cancel()
                wait(waiting)
            if isinstance(tasks, Generator):
                tasks.close()


def _done(waiting: dict[Future[Result], int]) -> Iterator[tuple[int, Result]]:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        yield waiting.pop(future), future.result()


class Processes(ProcessPoolExecutor):
    """Worker processes that leave Ctrl-C to their parent from the start. They are started when they get tasks."""

    def submit(self, function: Callable[..., Result], /, *args: Any, **named: Any) -> Future[Result]:
        """As Executor.submit, with SIGINT blocked while a process starts."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a new process starts with the same mask
        try:
            return super().submit(function, *args, **named)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def local_engine(workers: int, *, threads: bool) -> Iterator[Engine]:
    """An engine on this machine. threads: threads, for compiled code, which runs without the GIL; else processes."""
    if threads:
        keep_freed_memory()
        with ThreadPoolExecutor(workers + 1) as pool:  # one more, because one waits for the disk
            yield Engine(pool, workers + 2, in_process=True, writers=workers)
        return
    context = get_context("spawn")
    with Processes(workers, mp_context=context, initializer=_serve_parent) as processes:
        hidden: Any = processes
        try:
            yield Engine(processes, 2 * workers, in_process=False, writers=workers)
        except BaseException:  # such as Ctrl-C: results that nobody will use are not waited for
            for worker in list(hidden._processes.values()):  # a program that uses ldcat may have others
                worker.terminate()
            hidden._result_queue._writer.close()  # still open, and the pool would wait for the rest of a result
            raise


def processors() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _serve_parent(*_: Any) -> None:
    """Make a worker end with its parent."""
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)
