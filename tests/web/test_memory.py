"""Memory that a service used during an attack is released afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

from catalog.build.builder import BuildResult
from tests.support.services import Service, connected, resident, service

SECONDS = 60
"""Seconds within which it has to be released."""

MOST = 1.2
"""Factor over the memory that the service had before."""


def heads_without_an_end(served: Service) -> None:
    with ExitStack() as kept:
        for _ in range(700):
            kept.enter_context(connected(served, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000))
        assert served.ask("/healthz")[0] == 200


def bodies_without_an_end(served: Service) -> None:
    head = b"POST /v1/report HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"
    with ExitStack() as kept:
        for _ in range(100):
            with suppress(OSError):  # others already send much
                kept.enter_context(connected(served)).sendall(head + bytes(899_999))
        assert served.ask("/healthz")[0] == 200


def pages_that_nobody_reads(served: Service) -> None:
    with ExitStack() as kept:
        for _ in range(150):
            kept.enter_context(connected(served, b"GET /builds HTTP/1.1\r\nHost: x\r\n\r\n" * 20))
        assert served.ask("/healthz")[0] == 200


def reports_that_are_none(served: Service) -> None:
    with ThreadPoolExecutor(16) as pool:
        posted = [pool.submit(served.ask, "/v1/report", method="POST", body=bytes(900_000)) for _ in range(200)]
        for one in posted:
            assert one.result()[0] in (400, 413, 503)


ATTACKS: tuple[Callable[[Service], None], ...] = (
    heads_without_an_end,
    pages_that_nobody_reads,
    reports_that_are_none,
    bodies_without_an_end,
)


def test_memory_is_released_after_an_attack(small: BuildResult, tmp_path: Path) -> None:
    prelude = "from catalog.web import memory\nmemory.SECONDS = 2"
    with service(tmp_path, small.folder, prelude=prelude, fresh=True) as served:
        for number in range(100):
            assert served.ask(f"/d/{number:096x}")[0] == 200
        assert served.ask("/builds")[0] == 200
        before = resident(served)
        during = 0
        for attack in ATTACKS:
            attack(served)
            during = max(during, resident(served))  # of a slow machine some is released before the last one ends
        assert during > MOST * before, "the attack is none"
        end = time.monotonic() + SECONDS
        while (now := resident(served)) > MOST * before:
            assert time.monotonic() < end, f"{before:,} bytes became {during:,}, and {now:,} are left"
            time.sleep(0.2)  # until it is released, or the test fails
        assert served.ask("/healthz")[0] == 200
