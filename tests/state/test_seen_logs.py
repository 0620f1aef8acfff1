"""Checkpoints seen of a log: no lock is held during network requests, and older ones replace no newer one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from catalog import Release, verify_proof
from catalog.build.builder import BuildResult
from catalog.errors import OlderThanSeen, Unreadable
from catalog.log import revocation_list, seen_revocations
from catalog.log.log_folder import LastCheckpoint, LogFolder
from catalog.log.records import RevokeRecord
from catalog.log.release_rules import revocations_json
from catalog.log.revocation_chain import chain_revocations
from catalog.log.revocation_list import Revocation
from catalog.log.seen import Kept
from catalog.publish.publish import publish
from catalog.state import seen_logs as seen_module
from catalog.state.seen_logs import SeenLog, verified_against_seen
from catalog.store.catalog import Catalog
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import Note
from catalog.values import replace
from tests.support.catalogs import digest_of
from tests.support.cli import Run
from tests.support.hosts import right, serving
from tests.support.logs import LOG, ORIGIN, signed, signer
from tests.support.published_logs import Place
from tests.support.trust_notes import trust_note

REVOKE = RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason="bad")
OTHER = signer("example.com/other")
SECONDS = 60
"""Timeout for what takes milliseconds or never happens."""


class Hanging:
    """A host that does not answer until it is released. asked: set once a request waits."""

    def __init__(self) -> None:
        self.asked, self.let_go = threading.Event(), threading.Event()

    def __call__(self, handler: BaseHTTPRequestHandler, root: Path) -> None:
        self.asked.set()
        self.let_go.wait(SECONDS)
        right(handler, root)


@pytest.fixture
def other(place: Place, small: BuildResult, tmp_path: Path) -> Path:
    """The folder of a second log in the same trust note."""
    publish(
        Catalog.open(small.folder),
        LogFolder(tmp_path / "other"),
        [OTHER],
        LastCheckpoint(tmp_path / "other.note"),
        now=place.now,
    )
    place.trust.write_bytes(bytes(trust_note(f"log {LOG.key}\nlog {OTHER.key}\nquorum none\n")))
    return tmp_path / "other"


@contextmanager
def waiting_for_a_host(place: Place, folder: Path) -> Iterator[Future[Release]]:
    """A verification that waits for a host until the context ends."""
    hanging = Hanging()
    with serving(folder, hanging) as port, ThreadPoolExecutor(1) as threads:
        verification = threads.submit(Release.open, f"http://127.0.0.1:{port}/logs", place.trust)
        try:
            assert hanging.asked.wait(SECONDS)
            yield verification
            assert not verification.done()
        finally:
            hanging.let_go.set()


@pytest.mark.parametrize("of", ["the same log", "another log"])
def test_a_hanging_host_does_not_block_other_verifications(
    run: Run, place: Place, small: BuildResult, other: Path, monkeypatch: pytest.MonkeyPatch, of: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    digest, folder = digest_of(small), place.log if of == "the same log" else other
    proof = run("prove", digest, "--catalog", str(folder), "-q")[1].splitlines()[0].encode()
    with waiting_for_a_host(place, place.log) as waiting, ThreadPoolExecutor(2) as threads:
        lookup = threads.submit(Release.open, folder, place.trust)
        proving = threads.submit(verify_proof, proof, place.trust, digest=digest)
        lookup.result(SECONDS).close()
        assert proving.result(SECONDS).outcome == "match"
    waiting.result(SECONDS).close()


def test_a_monitor_with_a_hanging_host_does_not_block_others(
    run: Run, place: Place, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    hanging, trust = Hanging(), ("--trust", str(place.trust), "-q")
    with serving(place.log, hanging) as slow, serving(other) as port, ThreadPoolExecutor(2) as threads:
        first = threads.submit(run, "monitor", f"http://127.0.0.1:{slow}/logs", *trust)
        try:
            assert hanging.asked.wait(SECONDS)
            second = threads.submit(run, "monitor", f"http://127.0.0.1:{port}/logs", *trust)
            assert second.result(SECONDS)[0] == 0
            assert not first.done()
        finally:
            hanging.let_go.set()
        assert first.result(SECONDS)[0] == 0


def test_a_slow_verification_does_not_restore_an_older_checkpoint(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It began with an old copy and ends after another verification has seen a newer checkpoint."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(place.log, tmp_path / "old")
    place.publish(REVOKE)
    newest = LogFolder(place.log).checkpoint()
    with waiting_for_a_host(place, tmp_path / "old") as slow, ThreadPoolExecutor(1) as threads:
        threads.submit(Release.open, place.log, place.trust).result(SECONDS).close()
        assert kept_note() == newest
    with pytest.raises(OlderThanSeen):
        slow.result(SECONDS)
    assert kept_note() == newest


def kept_note() -> Note | None:
    kept = SeenLog("seen", ORIGIN).read()
    return None if kept is None else kept.note


def notes() -> list[Kept]:
    """Three checkpoints of a log, the oldest first."""
    return [Kept(signed(str(Checkpoint(ORIGIN, size, bytes([size]) * 32)), LOG)) for size in (1, 2, 3)]


def test_a_checkpoint_seen_meanwhile_is_verified_against(place: Place) -> None:
    first, second, third = notes()
    log, given = SeenLog("seen", ORIGIN), []

    def verify(seen: Mapping[str, Kept]) -> tuple[int, Kept]:
        given.append(seen.get(ORIGIN))
        if given[-1] is None:
            log.commit(None, first)  # by another process, while this one waits for the host
        elif given[-1] == first:
            log.commit(first, second)
        return len(given), third

    assert verified_against_seen([ORIGIN], verify) == (3, third.note)
    assert given == [None, first, second]
    assert log.read() == third


def test_giving_up_after_repeated_changes_is_an_error(place: Place) -> None:
    found = notes()
    log, count = SeenLog("seen", ORIGIN), 0

    def verify(seen: Mapping[str, Kept]) -> tuple[None, Kept]:
        nonlocal count
        log.commit(seen.get(ORIGIN), found[count % 2])
        count += 1
        return None, found[2]

    with pytest.raises(Unreadable, match="during each attempt"):
        verified_against_seen([ORIGIN], verify)
    assert 1 < count < 20
    assert log.read() in found[:2]


@contextmanager
def held(path: Path) -> Iterator[int]:
    """A process that holds a lock: its process id."""
    script = (
        "import sys; from pathlib import Path; from catalog.state.seen_logs import locked\n"
        "with locked(Path(sys.argv[1]), 'it'): print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        yield process.pid
        process.communicate()
    assert process.returncode == 0


def test_the_process_that_holds_a_lock_is_named(
    run: Run, place: Place, small: BuildResult, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen_module, "LOCK_SECONDS", 0.05)
    lock = SeenLog("seen", ORIGIN).path.with_suffix(".lock")
    with held(lock) as holder:
        code, out, err = run("lookup", digest_of(small), *place.options())
        assert (code, out) == (5, "")
        assert f"process {holder} writes what was seen of {ORIGIN}, and does not finish" in err
        assert str(lock) in err
        assert run("lookup", digest_of(small), "--catalog", str(other), "--trust", str(place.trust))[0] == 0
    assert run("lookup", digest_of(small), *place.options())[0] == 0
    with held(lock):  # a checkpoint that was already seen is not written
        assert run("explain", digest_of(small), *place.options())[0] == 0


def test_two_copies_of_a_log_are_not_cosigned_at_once(
    run: Run, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen_module, "LOCK_SECONDS", 0.05)
    key = tmp_path / "w.key"
    assert run("keygen", "w.example", "--for", "witness", "-o", str(key))[0] == 0
    cosign = ("cosign", "--log", str(place.log), "--key", str(key), "--trust", str(place.trust), "-q")
    before = (place.log / "checkpoint").read_bytes()
    with held(SeenLog("cosigned", f"{ORIGIN} w.example").path.with_suffix(".lock")) as holder:
        code, _, err = run(*cosign)
        assert (code, f"process {holder} writes what w.example cosigned of {ORIGIN}" in err) == (5, True)
        assert (place.log / "checkpoint").read_bytes() == before
    assert run(*cosign)[0] == 0


def test_a_lock_that_cannot_be_created(run: Run, place: Place, small: BuildResult, tmp_path: Path) -> None:
    lock = SeenLog("seen", ORIGIN).path.with_suffix(".lock")
    lock.parent.mkdir(parents=True)
    lock.symlink_to(tmp_path / "elsewhere")
    code, out, err = run("lookup", digest_of(small), *place.options())
    assert (code, out, "XDG_STATE_HOME" in err) == (5, "", True)
    assert not (tmp_path / "elsewhere").exists()


def kept_of(size: int, listed: tuple[Revocation, ...]) -> Kept:
    chain, note = chain_revocations(listed), signed(str(Checkpoint(ORIGIN, size, bytes([size]) * 32)), LOG)
    return Kept(note, chain, commits=True, listed=listed)


BAD = Revocation(selector={"vcpus": 3}, severity="revoked", reason="bad")
WORSE = Revocation(selector={"vcpus": 4}, severity="revoked", reason="worse")


def listed() -> tuple[Revocation, ...] | None:
    log = SeenLog("seen", ORIGIN)
    kept = log.read()
    return None if kept is None else log.listed(kept.revocations)


def test_the_list_of_revocations_is_kept(place: Place) -> None:
    log, path = SeenLog("seen", ORIGIN), SeenLog("seen", ORIGIN).path.with_suffix(".revocations.json")
    assert listed() is None
    log.commit(None, first := kept_of(1, ()))
    assert (listed(), path.exists()) == ((), False)
    log.commit(log.read(), second := kept_of(2, (BAD,)))
    assert (listed(), path.stat().st_mode & 0o777) == ((BAD,), 0o600)
    assert log.listed(first.revocations) == ()
    log.commit(log.read(), kept_of(3, (BAD, WORSE)))
    assert listed() == (BAD, WORSE)
    assert log.listed(second.revocations) == (BAD, WORSE)  # written by another process meanwhile
    log.commit(log.read(), replace(kept_of(4, (BAD, WORSE)), listed=None))
    assert listed() == (BAD, WORSE)


@pytest.mark.parametrize("data", [None, b"", b"[]", b"{", b"[1]", revocations_json([WORSE.record])])
def test_a_list_that_is_missing_or_another_one_is_completed(place: Place, data: bytes | None) -> None:
    """It is missing after an update of ldcat."""
    log, path = SeenLog("seen", ORIGIN), SeenLog("seen", ORIGIN).path.with_suffix(".revocations.json")
    log.commit(None, kept := kept_of(2, (BAD,)))
    path.unlink()
    if data is not None:
        path.write_bytes(data)
        path.chmod(0o600)
    assert listed() is None
    log.commit(log.read(), replace(kept, listed=None))
    assert listed() is None
    log.commit(log.read(), kept)
    assert listed() == (BAD,)


def test_no_checkpoint_is_kept_without_its_revocations(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far a process came that was killed: an older proof is then judged by the newest revocations."""
    log = SeenLog("seen", ORIGIN)
    log.commit(None, kept_of(1, ()))
    log.commit(log.read(), kept_of(2, (BAD,)))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for place_of_death, size in ((LastCheckpoint, 2), (seen_revocations.SeenRevocations, 3)):
        with monkeypatch.context() as patch:
            patch.setattr(place_of_death, "write", killed)
            with pytest.raises(KeyboardInterrupt):
                log.commit(log.read(), kept_of(3, (BAD, WORSE)))
        kept = log.read()
        assert kept is not None
        assert (kept.seen.checkpoint.size, listed()) == (size, (BAD, WORSE))


def test_leaves_after_the_revocations_that_were_kept_are_read_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the writes of a checkpoint and of its revocations, and after a process that was killed there."""
    log = SeenLog("seen", ORIGIN)
    log.commit(None, replace(kept_of(2, (BAD,)), from_leaves=True))
    with monkeypatch.context() as patch:
        patch.setattr(seen_revocations.SeenRevocations, "write", lambda *_: None)
        log.commit(log.read(), replace(kept_of(3, (BAD, WORSE)), from_leaves=True))
    between = log.read()
    assert between is not None
    assert (between.seen.checkpoint.size, between.revocations, between.from_leaves) == (
        3,
        kept_of(2, (BAD,)).revocations,
        False,
    )
    log.commit(between, whole := replace(kept_of(3, (BAD, WORSE)), from_leaves=True))
    assert log.read() == replace(whole, note=between.note, listed=None)


def test_the_format_before_this_one_is_read(place: Place) -> None:
    log = SeenLog("seen", ORIGIN)
    log.commit(None, kept := replace(kept_of(2, (BAD,)), from_leaves=True))
    path = log.path.with_suffix(".revocations")
    lines = path.read_text().splitlines()
    assert lines[:2] == ["ldcat-revocations/2", "2"]
    path.write_text("\n".join(("ldcat-revocations/1", *lines[2:], "")))
    assert log.read() == replace(kept, listed=None)


def test_a_list_that_is_too_long_is_not_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation_list, "MAX_REVOCATIONS", 10)
    log = SeenLog("seen", ORIGIN)
    log.commit(None, kept_of(2, (BAD,)))
    assert listed() is None
    assert log.read() is not None
