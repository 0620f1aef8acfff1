"""`ldcat witness ask`: a publisher asks real witnesses, and a guest owner's policy accepts the result."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from catalog.build.builder import BuildResult
from catalog.cli.commands import witness as command
from catalog.errors import Unreadable, UsageError
from catalog.net.http_post import Reply, post
from tests.support.cli import Run
from tests.support.hosts import POLL_SECONDS
from tests.support.witnesses import witness

ORIGIN = "example.com/digests"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def place(run: Run, small: BuildResult, tmp_path: Path) -> Path:
    """A folder with a log, the keys of two witnesses, and a root key."""
    logs = run("keygen", ORIGIN, "-o", f"{tmp_path}/log.key")[1].splitlines()
    (tmp_path / "root.v").write_text(run("keygen", "root.example", "-o", f"{tmp_path}/root.key", "--for", "root")[1])
    for name in ("w1", "w2"):
        (tmp_path / name).mkdir()
        made = run("keygen", f"{name}.example", "-o", f"{tmp_path}/{name}/key", "--for", "witness")
        (tmp_path / name / "vkeys").write_text(made[1])
        (tmp_path / name / "logs").write_text("".join(f"log {key}\n" for key in logs) + "quorum none\n")
    publish(run, small, tmp_path)
    return tmp_path


def publish(run: Run, built: BuildResult, place: Path) -> None:
    code, _, err = run("publish", str(built.folder), "--log", f"{place}/log", "--key", f"{place}/log.key", "-q")
    assert (code, err) == (0, "")


def revoke(run: Run, place: Path) -> None:
    options = ("--severity", "deprecated", "--reason", "old", "--vcpus", "1")
    assert run("revoke", "--log", f"{place}/log", "--key", f"{place}/log.key", *options)[0] == 0


def trust(run: Run, place: Path, **urls: str) -> tuple[str, str]:
    """Writes a trust note that requires both witnesses; returns its options."""
    lines = [line for line in (place / "w1/logs").read_text().splitlines() if line.startswith("log ")]
    for name in ("w1", "w2"):
        for suffix, key in zip(("", "-pq"), (place / name / "vkeys").read_text().split(), strict=True):
            lines.append(f"witness {name}{suffix} {key} {urls.get(name, '')}".rstrip())
    lines += ["group first any w1 w1-pq", "group second any w2 w2-pq", "group both all first second", "quorum both"]
    (place / "policy").write_text("".join(f"{line}\n" for line in lines))
    root = f"a={(place / 'root.v').read_text().strip()}"
    made = run("trust", "init", "--policy", f"{place}/policy", "--root", root, "--threshold", "1")
    (place / "text").write_text(made[1])
    (place / "trust").write_text(run("trust", "sign", f"{place}/text", "--key", f"{place}/root.key")[1])
    return "--trust", f"{place}/trust"


def verdict(run: Run, small: BuildResult, place: Path) -> str:
    """The outcome for a guest owner who verifies a digest of the log."""
    digest = pq.read_table(small.folder / "sev-snp/launch_digests.parquet")["launch_digest"][0].as_py().hex()
    proofs = run("prove", digest, "--catalog", f"{place}/log", "-q")[1].splitlines()
    (place / "proof").write_text(proofs[0] + "\n")
    out = run("verify-proof", f"{place}/proof", "--trust", f"{place}/trust", "--report", digest, "-f", "json")[1]
    return str(json.loads(out)["outcome"])


def test_a_quorum_of_two_witnesses(run: Run, small: BuildResult, place: Path) -> None:
    with witness(place / "w1", "--create") as first, witness(place / "w2", "--create") as second:
        by = trust(run, place, w1=first.url, w2=f"{second.url}/")
        ask = ("witness", "ask", "--log", f"{place}/log", *by)
        assert verdict(run, small, place) == "untrusted-signer"
        code, out, err = run(*ask)
        assert (code, err) == (0, "")
        assert out.splitlines()[0] == ORIGIN
        assert [line.split() for line in out.splitlines()[2:]] == [
            [name, "cosigned"] for name in ("w1", "w1-pq", "w2", "w2-pq")
        ]
        assert verdict(run, small, place) == "match"
        publish(run, small, place)  # with no new row
        assert verdict(run, small, place) == "match"
        assert second.stop()[0] == 0
        code, out, err = run(*ask, "-f", "json")
        assert (code, err) == (0, "")  # the earlier cosignatures are still there
        shown = json.loads(out)["witnesses"]
        assert [row["cosigned"] for row in shown] == [True] * 4
        assert [row["why"] and "connection refused at port " in row["why"] for row in shown] == [None, None, True, True]
        assert [row["cosignature"] for row in shown] == ["now", "now", "had", "had"]
        assert "cosigned before, but not now: " in run(*ask)[1]
        assert verdict(run, small, place) == "match"


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_log_that_was_rolled_back_is_an_alarm(run: Run, small: BuildResult, place: Path, output: str) -> None:
    """Even if the old checkpoint has cosignatures: the witnesses report a larger size."""
    with witness(place / "w1", "--create") as first, witness(place / "w2", "--create") as second:
        ask = ("witness", "ask", "--log", f"{place}/log", *trust(run, place, w1=first.url, w2=second.url))
        assert run(*ask)[0] == 0
        shutil.copytree(place / "log", place / "backup")
        revoke(run, place)
        assert run(*ask)[0] == 0
        shutil.rmtree(place / "log")
        (place / "backup").rename(place / "log")
        before = (place / "log/checkpoint").read_bytes()
        assert verdict(run, small, place) == "match"  # which clients that saw nothing newer accept
        code, out, err = run(*ask, "-f", output)
        assert code == 12
        assert err.startswith(
            "ldcat: error: w1, w1-pq, w2, w2-pq saw more of this log, or another history: it was rolled back"
        )
        assert (place / "log/checkpoint").read_bytes() == before
        if output == "json":
            rows = json.loads(out)["witnesses"]
            assert [(row["cosigned"], row["cosignature"], row["alarm"], row["status"]) for row in rows] == [
                (True, "had", True, 409)
            ] * 4
        else:
            assert out.count("ALARM, cosigned before, but not now: it cosigned a checkpoint of ") == 4


def test_a_fork_is_an_alarm(
    run: Run, small: BuildResult, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with witness(place / "w1", "--create") as first:
        ask = ("witness", "ask", "--log", f"{place}/log", *trust(run, place, w1=first.url))
        assert run(*ask)[0] == 6  # w2 has no address
        shutil.rmtree(place / "log")
        shutil.rmtree(tmp_path / "state")
        later = time.time() + 5  # otherwise, the first release could be the same, and not a fork
        monkeypatch.setattr("time.time", lambda: later)
        publish(run, small, place)
        revoke(run, place)
        code, out, err = run(*ask)
        assert code == 12
        assert "this log is not consistent with what it cosigned before: a fork" in out
        assert "w1, w1-pq saw more of this log, or another history" in err


def test_cosignatures_that_are_too_old_are_reported(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with witness(place / "w1", "--create") as first, witness(place / "w2", "--create") as second:
        ask = ("witness", "ask", "--log", f"{place}/log", *trust(run, place, w1=first.url, w2=second.url))
        assert run(*ask)[0] == 0
        assert second.stop()[0] == 0
        later = time.time() + 8 * 86400
        monkeypatch.setattr("time.time", lambda: later)
        code, _, err = run(*ask)
    assert code == 8
    assert "this checkpoint is stale" in err


def test_a_request_that_some_witnesses_do_not_read_is_a_warning(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = trust(run, place)
    monkeypatch.setattr("catalog.transparency.witness.SMALL_REQUEST", 3000)
    code, _, err = run("witness", "ask", "--log", f"{place}/log", *by)
    assert (code, err.partition(" has up to ")[0]) == (6, "ldcat: warning: a request for this log")
    assert "some witnesses read no more than 3,000: sign with fewer keys" in err.splitlines()[0]


def test_missing_witnesses_are_listed(run: Run, small: BuildResult, place: Path) -> None:
    with witness(place / "w1", "--create") as first:
        by = trust(run, place, w1=first.url)
        code, out, err = run("witness", "ask", "--log", f"{place}/log", *by)
    assert code == 6
    assert err.splitlines()[0] == "ldcat: error: the quorum is not reached: not cosigned by w2, w2-pq"
    assert "not cosigned: no address" in out
    assert verdict(run, small, place) == "untrusted-signer"


def test_a_witness_that_does_not_answer_in_time(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "ANSWER_SECONDS", 0.2)
    done = threading.Event()
    with serving(lambda handler: done.wait()) as url:
        by = trust(run, place, w1=url, w2="http://127.0.0.1:1")
        code, out, err = run("witness", "ask", "--log", f"{place}/log", *by)
        done.set()
    assert code == 6
    assert "127.0.0.1 hangs: no head of an answer in 0.2 seconds" in out
    assert "127.0.0.1 does not answer: connection refused" in out
    assert "internal error" not in err


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("--log", "{tmp}/nowhere", "--trust", "{tmp}/trust"), 5, "no log at"),
        (("--log", "{tmp}/log", "--trust", "{tmp}/nowhere"), 5, "nowhere"),
        (("--log", "{tmp}/log", "--trust", "{tmp}/text"), 3, "the trust note has no signatures"),
        (("--log", "{tmp}/log", "--trust", "{tmp}/trust", "-f", "csv"), 2, "csv"),
    ],
)
def test_invalid_arguments_are_refused(run: Run, place: Path, arguments: tuple[str, ...], code: int, part: str) -> None:
    trust(run, place)
    got, out, err = run("witness", "ask", *(argument.format(tmp=place) for argument in arguments))
    assert (got, out) == (code, "")
    assert part in err
    assert "internal error" not in err


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], object]) -> Iterator[str]:
    """An HTTP server whose answer to a POST the test decides."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answer(self)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL_SECONDS})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def say(status: int, body: bytes, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.mark.parametrize("status", [200, 201, 404, 409, 500])
def test_answers_with_any_status_are_read(status: int) -> None:
    with serving(say(status, b"12\n", **{"Content-Type": "text/x.tlog.size; charset=x"})) as url:
        assert post(f"{url}/p", b"asked", 3) == Reply(status, "text/x.tlog.size", b"12\n")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    paths: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        paths.append(handler.path)
        say(status, b"", Location="/q")(handler)

    with serving(answer) as url:
        assert post(f"{url}/p", b"asked", 3).status == status
    assert paths == ["/p"]


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_is_too_large(status: int) -> None:
    with serving(say(status, b"x" * 101)) as url, pytest.raises(Unreadable, match="more than 100 bytes"):
        post(url, b"asked", 100)


NO_ADDRESSES = [
    *("file:///etc/passwd", "ftp://127.0.0.1/x", "127.0.0.1:1", "http://", "http:///x", "http://é/", "//x"),
    *("http://127.0.0.1:x/", "http://[::1/", "http://127.0.0.1:1/a\n", "http://127.0.0.1:99999/"),
]


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_invalid_addresses_are_refused(url: str) -> None:
    with pytest.raises(UsageError):
        post(url, b"asked", 4)


def test_no_server() -> None:
    with pytest.raises(Unreadable, match=r"127\.0\.0\.1 does not answer: connection refused"):
        post("http://127.0.0.1:1/", b"asked", 4)


def test_plain_http_leaves_this_machine_only_with_an_option(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = socket.getaddrinfo
    here: list[tuple[str, int]] = []

    def resolve(name: str, port: int, **how: Any) -> Any:
        here.append((name, port))
        return found("127.0.0.1" if name == "w.internal" else name, port, **how)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with serving(say(404, b"who?")) as url:
        port = int(url.rpartition(":")[2])
        ask = ("witness", "ask", "--log", f"{place}/log", *trust(run, place, w1=f"http://w.internal:{port}/w"))
        code, out, _ = run(*ask)
        assert (code, here) == (6, [])
        assert f"not cosigned: http://w.internal:{port}/w/add-checkpoint is not allowed: only https is" in out
        assert "--allow-http allows it" in out
        code, out, _ = run(*ask, "--allow-http")
        assert (code, here) == (6, [("w.internal", port)])
        assert "it answered 404: who?" in out
