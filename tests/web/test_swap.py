"""A new release next to the served one: taken over without a dropped request, or refused."""

from __future__ import annotations

import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from catalog.build.builder import BuildResult
from tests.support.catalogs import rows_of
from tests.support.published_logs import Place
from tests.support.services import SECONDS, Service, service
from tests.support.waiting import until
from tests.web.conftest import REVOKE

ANSWERS = 40
"""Answers from one release, to four concurrent clients."""

FAST = "from catalog.web.release import current\ncurrent.LOOK_SECONDS = 0.1"


@contextmanager
def running(place: Place, home: Path, prelude: str = FAST) -> Iterator[Service]:
    with service(home, place.log, "--trust", place.trust, prelude=prelude) as found:
        yield found


def wait_for(answers: threading.Semaphore, count: int) -> None:
    for _ in range(count):
        assert answers.acquire(timeout=SECONDS)


def test_a_new_release_drops_no_request(place: Place, small: BuildResult, tmp_path: Path) -> None:
    digest = next(digest.hex() for inputs, digest in rows_of(small).items() if inputs[-1] == 3)
    others = sorted({digest.hex() for digest in rows_of(small).values()})
    with running(place, tmp_path) as served, ThreadPoolExecutor(4) as threads:
        ended, answered = threading.Event(), {1: threading.Semaphore(0), 2: threading.Semaphore(0)}

        def ask(number: int) -> list[int]:
            """The releases that answered, in order."""
            connection, found = served.connection(), []
            while not ended.is_set():
                wanted = others[number * 7919 % len(others)] if number % 2 else digest
                number += 2
                for path in (f"/d/{wanted}.json", "/", "/checkpoint"):
                    connection.request("GET", path)
                    answer = connection.getresponse()
                    body = answer.read()
                    assert answer.status == 200, body
                    if path.endswith("json"):
                        assert b'"found":true' in body
                        found.append(2 if b'"last_release":2' in body else 1)
                        answered[found[-1]].release()
                        revoked = b'"severity":"revoked"' in body
                        assert wanted != digest or revoked == (found[-1] == 2)
            connection.close()
            return found

        asking = [threads.submit(ask, number) for number in range(4)]
        try:
            wait_for(answered[1], ANSWERS)
            place.publish(REVOKE)
            served.until("now serving release 2 of")
            wait_for(answered[2], ANSWERS)
        finally:
            ended.set()
        for one in asking:
            found = one.result(SECONDS)
            assert found == sorted(found)
            assert set(found) == {1, 2}
        assert served.json("/readyz")["release"] == 2


def put_checkpoint(place: Place, checkpoint: bytes) -> None:
    """At once: the service never reads half of it."""
    (place.log / "new").write_bytes(checkpoint)
    (place.log / "new").replace(place.log / "checkpoint")


def test_a_release_that_does_not_verify_is_refused(place: Place, tmp_path: Path) -> None:
    with running(place, tmp_path) as served:
        checkpoint = (place.log / "checkpoint").read_bytes()
        root = served.json("/d/" + "0" * 96 + ".json")["release"]["root"]
        forged = checkpoint.replace(b"\n", b"\nx", 1)
        put_checkpoint(place, forged)
        served.until("is refused; still serving the one before")
        assert served.json("/readyz") == {"status": "ready", "verified": True, "release": 1}
        assert served.ask("/checkpoint")[1] == checkpoint
        assert served.json("/d/" + "0" * 96 + ".json")["release"]["root"] == root
        assert b"ldcat_releases_refused_total 1.0" in served.ask("/metrics")[1]
        put_checkpoint(place, checkpoint)
        place.publish(REVOKE)
        served.until("now serving release 2 of")
        assert sum("is refused" in line for line in served.log_lines) <= 2


def test_a_release_with_damaged_files_is_refused(place: Place, tmp_path: Path) -> None:
    with running(place, tmp_path) as served:
        folder = place.log / "releases/2"
        folder.mkdir()
        (folder / "components").mkdir()
        (folder / "components/names").write_bytes(b"damaged")
        before = served.ask("/builds")[1]
        place.publish(REVOKE)
        (folder / "manifest.json").write_bytes(b"{}")
        served.until("is refused")
        assert served.ask("/builds")[1] == before


def test_an_older_release_is_refused(place: Place, tmp_path: Path) -> None:
    checkpoint = (place.log / "checkpoint").read_bytes()
    place.publish(REVOKE)
    with running(place, tmp_path) as served:
        put_checkpoint(place, checkpoint)
        served.until("is refused")
        assert served.json("/readyz")["release"] == 2


def test_nothing_is_answered_from_a_stale_release(place: Place, tmp_path: Path, small: BuildResult) -> None:
    digest = min(digest.hex() for digest in rows_of(small).values())
    later = (
        "import time, os\nnow = time.time\n"
        f"time.time = lambda: now() + (200_000 if os.path.exists({str(tmp_path / 'late')!r}) else 0)\n"
    )
    with running(place, tmp_path, later + FAST) as served:
        assert served.json(f"/d/{digest}.json")["found"]
        (tmp_path / "late").touch()
        for path in (f"/d/{digest}.json", "/readyz", f"/d/{digest}"):
            until(partial(_refused, served, path))
            status, body, headers = served.ask(path)
            assert (status, headers["Retry-After"], b"is stale" in body) == (503, "60", True), path
        assert served.ask("/healthz")[0] == 200
        assert served.ask("/checkpoint")[0] == 200
        (tmp_path / "late").unlink()
        assert served.json("/readyz")["status"] == "ready"


def _refused(served: Service, path: str) -> bool:
    return served.ask(path)[0] != 200


def test_a_rebuilt_catalog_is_taken_over(small: BuildResult, tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    shutil.copytree(small.folder, folder)
    with service(tmp_path, folder, prelude=FAST) as served:
        before = served.ask("/")[2]["ETag"]
        text = (folder / "manifest.json").read_bytes()
        shutil.copytree(folder, tmp_path / "next")
        (tmp_path / "next/manifest.json").write_bytes(text.replace(b'"name": "', b'"name": "another-', 1))
        folder.rename(tmp_path / "last")
        (tmp_path / "next").rename(folder)
        served.until("now serving another-")
        assert served.ask("/")[2]["ETag"] != before
        assert served.json("/d/" + next(digest.hex() for digest in rows_of(small).values()) + ".json")["found"]


HELD = """
import sys, threading
from catalog.pages import views
from catalog.web import serving
serving.GRACE_SECONDS = {grace}
told, made, stop = threading.Event(), views.answer_page, serving._Server.stop
def held(*asked):
    print("held", file=sys.stderr, flush=True)
    {until}
    return made(*asked)
def stopped(server):
    stop(server)
    print("stopped", file=sys.stderr, flush=True)
    told.set()
views.answer_page, serving._Server.stop = held, stopped
"""
"""An answer that is held until the service was told to end, or forever."""


def test_pending_requests_are_answered_before_the_end(place: Place, tmp_path: Path) -> None:
    held = HELD.format(grace=SECONDS, until="told.wait()")
    for number in (signal.SIGTERM, signal.SIGINT):
        with running(place, tmp_path / str(number), held) as served, ThreadPoolExecutor(1) as threads:
            asking = threads.submit(served.ask, "/d/" + "0" * 96)
            served.until("held")
            assert served.stop(number) == 0
            assert asking.result(SECONDS)[0] == 200
            assert "stopped" in served.log_lines


def test_it_ends_despite_hanging_requests(place: Place, tmp_path: Path) -> None:
    for signals, grace in (((signal.SIGTERM,), 0.2), ((signal.SIGINT, signal.SIGINT), 1000)):
        held = HELD.format(grace=grace, until="threading.Event().wait()")
        with running(place, tmp_path / str(len(signals)), held) as served, served_connection(served) as pending:
            pending.sendall(b"GET /d/" + b"0" * 96 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            served.until("held")
            for number in signals[:-1]:
                served.send_signal(number)
                served.until("stopped")
            assert served.stop(signals[-1]) == 0  # in less time than a test waits for anything


def served_connection(served: Service) -> socket.socket:
    return socket.create_connection(served.address, timeout=SECONDS)
