"""Hanging hosts: the service reports it and keeps serving, other clients are not delayed, and the page gives up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from catalog.build.builder import BuildResult
from catalog.transparency.note import Note
from tests.support.browsers import page_of
from tests.support.catalogs import rows_of
from tests.support.cli import Run
from tests.support.drips import DRIPS, dripping, in_time
from tests.support.hosts import right, serving
from tests.support.published_logs import Place
from tests.support.services import SECONDS, Service, service
from tests.web.conftest import REVOKE

IMPATIENT = """
from catalog.net import http_client, static_host
from catalog.web.release import current
http_client.HEAD_SECONDS, http_client.WHOLE_SECONDS, http_client.SLOWEST = 0.5, 1, 1 << 40
static_host._PAUSES = ()
"""
LOOKS = "current.ASK_SECONDS = 0.1\n"
BRIEF = "from catalog.web import other_hosts\nother_hosts.WAIT_SECONDS = 0.2\n"
PATIENT = "from catalog.net import http_client\nhttp_client.HEAD_SECONDS = 600\n"


class Moody:
    """A correct host, which drips a header forever while `hangs` is set. waiting: released once per waiting request."""

    def __init__(self) -> None:
        self.hangs, self.ended = threading.Event(), threading.Event()
        self.waiting = threading.Semaphore(0)

    def __call__(self, handler: BaseHTTPRequestHandler, root: Path) -> None:
        if self.hangs.is_set():
            self.waiting.release()
            with suppress(OSError):
                handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
                while self.hangs.is_set() and not self.ended.wait(0.05):
                    handler.wfile.write(b"x")
        else:
            right(handler, root)


@contextmanager
def hosted(place: Place, home: Path, prelude: str) -> Iterator[tuple[Moody, Service]]:
    moody = Moody()
    with serving(place.log, moody) as port:
        try:
            url = f"http://127.0.0.1:{port}/logs"
            with service(home, url, "--trust", place.trust, prelude=prelude) as served:
                yield moody, served
        finally:
            moody.ended.set()


def counted(served: Service, name: str) -> float:
    lines = served.ask("/metrics")[1].decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def narrower(place: Place) -> str:
    """A tile that the service does not have at hand: one of the log when it was smaller."""
    size = int(Note.parse((place.log / "checkpoint").read_bytes()).text.split("\n")[1])
    return f"/tile/0/000.p/{size - 1}"


def test_serve_reports_a_hanging_host_and_retries(place: Place, tmp_path: Path) -> None:
    warning = "warning: the host does not answer; still serving release 1: 127.0.0.1 hangs: no head of an"
    with hosted(place, tmp_path, IMPATIENT + LOOKS) as (moody, served):
        assert counted(served, "ldcat_host_unanswered_total") == 0
        moody.hangs.set()
        served.until(warning)
        for _ in range(3):
            assert moody.waiting.acquire(timeout=SECONDS)  # it is asked again
        assert served.json("/readyz") == {"status": "ready", "verified": True, "release": 1}
        assert counted(served, "ldcat_host_unanswered_total") >= 1
        assert counted(served, "ldcat_releases_refused_total") == 0
        assert sum(warning in line for line in served.log_lines) == 1
        place.publish(REVOKE)
        moody.hangs.clear()
        served.until("now serving release 2 of")
        moody.hangs.set()
        served.until(warning.replace("release 1", "release 2"))  # another time is reported again


def test_a_hanging_host_does_not_delay_answers_that_do_not_need_it(
    place: Place, small: BuildResult, tmp_path: Path
) -> None:
    digest = min(digest.hex() for digest in rows_of(small).values())
    with hosted(place, tmp_path, PATIENT) as (moody, served), ThreadPoolExecutor(64) as threads:
        moody.hangs.set()
        asking = [threads.submit(served.ask, f"{narrower(place)}?{number}") for number in range(64)]
        for _ in range(10):
            assert moody.waiting.acquire(timeout=SECONDS)
        try:
            for path in (f"/d/{digest}", f"/d/{digest}.json", "/builds", "/readyz", "/checkpoint"):
                assert served.ask(path)[0] == 200
        finally:
            moody.hangs.clear()
        statuses = {answer.result(SECONDS)[0] for answer in asking}
        assert statuses <= {404, 503}


def test_files_of_other_releases_at_a_hanging_host_do_not_delay_such_answers(
    place: Place, small: BuildResult, tmp_path: Path
) -> None:
    place.publish(REVOKE)
    digest, path = min(digest.hex() for digest in rows_of(small).values()), "/releases/1/components/spec.json"
    with hosted(place, tmp_path, PATIENT + BRIEF) as (moody, served), ThreadPoolExecutor(64) as threads:
        moody.hangs.set()
        asking = [threads.submit(served.ask, f"{path}?{number}") for number in range(64)]
        try:
            slow = [answer.result() for _, answer in zip(range(48), as_completed(asking, SECONDS), strict=False)]
            assert all((answer[0], b"the host of this log is slow" in answer[1]) == (503, True) for answer in slow)
            assert served.ask(f"/d/{digest}")[0] == 200
        finally:
            moody.hangs.clear()
        assert {answer.result(SECONDS)[0] for answer in asking} <= {200, 404, 503}
        assert served.ask(path)[0] == 200


def test_requests_that_need_a_hanging_host_get_an_error(place: Place, small: BuildResult, tmp_path: Path) -> None:
    digest = min(digest.hex() for digest in rows_of(small).values())
    with hosted(place, tmp_path, IMPATIENT) as (moody, served):
        moody.hangs.set()
        for path in (narrower(place), "/releases/1/components/spec.json", f"/d/{digest}.proof"):
            status, body, headers = served.ask(path)
            assert (status, b"the host of this log does not answer" in body) == (503, True), body
            assert headers["Retry-After"] == "60"
        moody.hangs.clear()
        assert served.ask("/releases/1/components/spec.json")[0] == 200


def test_a_service_with_a_hanging_host_can_be_stopped(place: Place, tmp_path: Path) -> None:
    quick = "from catalog.web import serving\nfrom catalog.web.release import current\nserving.GRACE_SECONDS = 0.2\n"
    with hosted(place, tmp_path, PATIENT + quick + LOOKS) as (moody, served):
        moody.hangs.set()
        assert moody.waiting.acquire(timeout=SECONDS)
        assert served.stop() == 0


def test_serve_does_not_start_with_a_hanging_host(
    run: Run, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("catalog.net.http_client.HEAD_SECONDS", 0.2)
    monkeypatch.setattr("catalog.net.static_host._PAUSES", ())
    with dripping(*DRIPS["headers"]) as host:
        serve = ("serve", host.url, "--listen", "127.0.0.1:0", "--trust", str(place.trust))
        code, _, err = in_time(lambda: run(*serve), host.let_go)
    assert (code, "127.0.0.1 hangs: no head of an answer in 0.2 seconds" in err) == (5, True)


@pytest.mark.parametrize("what", ["silence", "headers", "body"])
def test_the_page_gives_up_on_a_slow_host(browser: Browser, site: Path, small: BuildResult, what: str) -> None:
    """Its 30 seconds include head and body; this test uses one second."""
    digest = min(digest.hex() for digest in rows_of(small).values())
    at_once, then = DRIPS[what]
    ended = threading.Event()

    def serve(handler: BaseHTTPRequestHandler, root: Path) -> None:
        if not handler.path.endswith("page.json"):
            data = (root / handler.path.removeprefix("/")).read_bytes()
            kind = "text/javascript" if handler.path.endswith(".js") else "text/html"
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n" % kind.encode() + data)
            return
        with suppress(OSError):
            handler.wfile.write(at_once)
            while not ended.wait(0.05):
                handler.wfile.write(then)

    with serving(site, serve) as port, page_of(browser) as seen:
        seen.page.add_init_script(
            "const real = AbortSignal.timeout.bind(AbortSignal);AbortSignal.timeout = () => real(1000)"
        )
        try:
            seen.page.goto(f"http://127.0.0.1:{port}/index.html#d={digest}")
            alert = seen.page.locator("#answer [role=alert]")
            expect(alert).to_contain_text("page.json cannot be fetched: ")
            assert seen.errors == []
        finally:
            ended.set()
