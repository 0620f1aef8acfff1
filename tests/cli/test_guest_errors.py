"""Errors that a guest owner meets first: each says what was taken for what, and what to do."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from tests.support.catalogs import digest_of
from tests.support.cli import Run
from tests.support.hosts import serving
from tests.support.logs import DAY, NOW, signer
from tests.support.published_logs import Place
from tests.support.trust_notes import trust_note


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.net.static_host._PAUSES", ())


def _problem(shown: tuple[int, str, str]) -> tuple[int, str, str]:
    """Exit code, error and hint."""
    error, hint = shown[2].splitlines()
    return shown[0], error.removeprefix("ldcat: error: "), hint.removeprefix("ldcat: hint: ")


def test_the_trust_note_of_another_log(run: Run, place: Place, small: BuildResult, tmp_path: Path) -> None:
    for name, error, hint in (
        (
            "mylog",
            "this is the log example.com/log: not signed by any trusted key of mylog",
            "ask the publisher of example.com/log for its trust note",
        ),
        (
            "example.com/log",
            "not signed by any trusted key of example.com/log",
            "ask the publisher of example.com/log for its newest trust note: the keys may have been replaced",
        ),
    ):
        policy = f"log {signer(name, seed=7).key}\nquorum none\n"
        (tmp_path / "other").write_bytes(bytes(trust_note(policy, expires=NOW + 10**7, max_age=DAY)))
        line = ("lookup", digest_of(small), "--catalog", str(place.log), "--trust", str(tmp_path / "other"))
        code, said, next_step = _problem(run(*line))
        assert (code, said) == (6, error)
        assert next_step.startswith(hint)


@pytest.mark.parametrize("name", ["127.0.0.1:8531", "nofolder"])
def test_a_folder_that_is_not_there(
    name: str, run: Run, place: Place, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = "a URL begins with https://, or on this machine with http://"
    line = ("lookup", digest_of(small), "--catalog", name)
    for options in (("--trust", str(place.trust)), ("--insecure-skip-verify",)):
        code, error, hint = _problem(run(*line, *options))
        assert (code, error) == (5, f"{name}: no such folder")
        assert hint.startswith(url)
    code, error, hint = _problem(run(*line))
    assert (code, error, hint) == (5, f"no catalog at {name}", f"{url}; ldcat build -o NAME makes a catalog")


@pytest.mark.parametrize("is_built", [False, True])
def test_a_trust_note_without_a_log(
    is_built: bool, run: Run, place: Place, small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    if is_built:
        (tmp_path / "data/ldcat").mkdir(parents=True)
        (tmp_path / "data/ldcat/catalog").symlink_to(small.folder)
    code, _, hint = _problem(run("lookup", digest_of(small), "--trust", str(place.trust)))
    assert (code, hint.partition(";")[0]) == (
        2 if is_built else 5,
        "this is the default catalog: name the log with --catalog DIR or URL",
    )


def test_a_host_with_nothing_there(run: Run, place: Place, small: BuildResult, tmp_path: Path) -> None:
    line = ("lookup", digest_of(small), "--trust", str(place.trust), "--catalog")
    with serving(place.log) as port:
        url = f"http://127.0.0.1:{port}"
        code, error, hint = _problem(run(*line, f"{url}/nothing/here"))
        assert (code, error) == (5, f"{url}/nothing/here/checkpoint: HTTP status 404")
        assert hint.startswith("give the URL of the folder that has the file checkpoint")
    code, error, _ = _problem(run(*line, f"{url}/logs"))
    assert (code, error) == (5, f"127.0.0.1 does not answer: connection refused at port {port}")


def test_a_trust_note_that_is_not_there(run: Run, place: Place, small: BuildResult, tmp_path: Path) -> None:
    (tmp_path / "proof").write_text("{}")
    for line in (
        ("lookup", digest_of(small), "--catalog", str(place.log)),
        ("verify-proof", str(tmp_path / "proof")),
        ("audit", str(place.log)),
    ):
        code, error, hint = _problem(run(*line, "--trust", str(tmp_path / "trust.nte")))
        assert (code, error) == (5, f"no trust note at {tmp_path}/trust.nte: no such file or directory")
        assert hint.startswith("name its file; the publisher of the log gives it away")


def test_a_proof_needs_no_trust_note_where_it_is_made(run: Run) -> None:
    code, error, hint = _problem(run("prove", "0" * 96, "--catalog", "http://127.0.0.1:9/log", "--trust", "x"))
    assert (code, error.startswith("no such option: --trust")) == (2, True)
    assert hint == "leave it out: whoever gets the proof verifies it, with ldcat verify-proof FILE --trust NOTE"
    assert _problem(run("prove", "--no-such"))[2] == "ldcat prove --help"


def test_a_stale_log_and_a_slow_clock(
    run: Run, place: Place, small: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ("lookup", digest_of(small), *place.options())
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 4 * DAY)
    code, error, _ = _problem(run(*line))
    assert (code, error.endswith("it was fresh until 3 days ago")) == (8, True)
    monkeypatch.setattr("time.time", lambda: now - 3 * DAY)
    code, error, hint = _problem(run(*line))
    assert code in (8, 11)
    assert "clock of this machine" in hint
