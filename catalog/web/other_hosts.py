"""Reads from another host run in threads of their own: if the host hangs, all other requests are still answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, fail_after, to_thread
from starlette.concurrency import run_in_threadpool

from catalog.fast.published import PublishedRelease
from catalog.net.no_answer import NoAnswer
from catalog.web.problems import Problem

MOST_THREADS = 16
"""Threads that wait for another host at a time."""

WAIT_SECONDS = 10.0
"""Seconds that a request waits for a free thread before it is answered that the host is slow."""

T = TypeVar("T")

_threads = CapacityLimiter(MOST_THREADS)


async def read_of_log(release: PublishedRelease | None, read: Callable[..., T], *arguments: object) -> T:
    """The result of `read(*arguments)`, called in a thread; raises Problem if the host of the log does not answer."""
    if release is None or release.source is None:
        return await run_in_threadpool(read, *arguments)
    borrower = object()
    try:
        with fail_after(WAIT_SECONDS):
            await _threads.acquire_on_behalf_of(borrower)
    except TimeoutError as error:
        raise Problem(503, "the host of this log is slow", "try again later", {"Retry-After": "60"}) from error
    try:
        return await to_thread.run_sync(read, *arguments, limiter=CapacityLimiter(1))
    except NoAnswer as error:
        raise Problem(503, "the host of this log does not answer", "try again later", {"Retry-After": "60"}) from error
    finally:
        _threads.release_on_behalf_of(borrower)
