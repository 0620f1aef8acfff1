"""The first use of the default catalog on a machine builds it: once, whole or not at all, and never over another."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from catalog.build import builder
from catalog.cli import first_build, main
from catalog.errors import DiskFull
from catalog.spec import catalog_spec
from catalog.terminal import render
from tests.support.catalogs import contents
from tests.support.cli import AMDSEV, NOWHERE
from tests.support.samples import ONE_ROW, hear_interrupts, write_spec
from tests.support.waiting import until

ROOT = Path(__file__).parent.parent.parent
OF_AMDSEV = "3e4fd0b3fe3b2dbe481c3d9e99418a034174f26cbe1f55aa212b0f18c12d2d6f"
DEFAULT = "ac7e7232f680f70c0ad60257f927d6b403669984323384838ba3e4096c6f8177ae19c8b5489842bac561920667b8f780"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a catalog, whose default catalog would have one row: ldcat's folder of data."""
    spec = catalog_spec.load_spec(write_spec(tmp_path, ONE_ROW))
    monkeypatch.setattr(catalog_spec, "load_spec", lambda _: spec)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("LDCAT_CATALOG", "LDCAT_TRUST", "LDCAT_QUIET"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "data/ldcat"


def test_a_lookup_in_a_clean_environment(tmp_path: Path) -> None:
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "catalog", "lookup", DEFAULT]
    first, second = (subprocess.run(command, env=clean, capture_output=True, text=True, cwd=ROOT) for _ in range(2))
    place = tmp_path / ".local/share/ldcat/catalog"
    assert first.stderr.startswith(f"ldcat: note: no catalog yet: building the default one, once, in {place}")
    assert (first.returncode, second.returncode, first.stderr.count("\n"), second.stderr) == (0, 0, 1, "")
    assert f"firmware          {AMDSEV}" in first.stdout
    assert first.stdout == second.stdout


@pytest.mark.parametrize("line", [("lookup", OF_AMDSEV), ("sql", "FROM configurations", "-f", "csv")])
def test_whatever_needs_the_default_catalog_builds_it(
    line: tuple[str, ...], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for noted in (1, 0):
        assert main.run(line) == 0
        assert capsys.readouterr().err.count("no catalog yet: building the default one, once") == noted
    assert (home / "catalog/manifest.json").is_file()


@pytest.mark.parametrize("quiet", ["--quiet", "LDCAT_QUIET"])
def test_quiet(quiet: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if quiet == "LDCAT_QUIET":
        monkeypatch.setenv(quiet, "1")
    assert main.run(["lookup", OF_AMDSEV, *([quiet] if quiet.startswith("-") else [])]) == 0
    assert capsys.readouterr().err == ""


def test_a_named_catalog_is_never_built(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main.run(["lookup", OF_AMDSEV, "--catalog", str(tmp_path / "none")]) == 5
    monkeypatch.setenv("LDCAT_CATALOG", str(tmp_path / "none"))
    assert main.run(["lookup", OF_AMDSEV]) == 5
    monkeypatch.delenv("LDCAT_CATALOG")
    assert main.run(["lookup", OF_AMDSEV, "--insecure-skip-verify"]) == 5  # there is no release to use unverified
    assert not (tmp_path / "none").exists()
    assert not home.exists()


def test_what_is_there_is_never_replaced(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["lookup", OF_AMDSEV]) == 0
    (home / "catalog/manifest.json").write_text("damaged")
    for code in (3, 5):
        before = contents(home)
        capsys.readouterr()
        assert main.run(["lookup", OF_AMDSEV]) == code
        assert f"hint: move {home}/catalog away: the next lookup makes it again" in capsys.readouterr().err
        assert contents(home) == before
        (home / "catalog/manifest.json").unlink(missing_ok=True)
    (home / "catalog").rename(home / ".catalog.ldcat-previous")  # as an interrupted `ldcat build` leaves it
    assert main.run(["lookup", OF_AMDSEV]) == 5
    (home / ".catalog.ldcat-previous").rename(home / "elsewhere")
    assert main.run(["lookup", OF_AMDSEV]) == 0


def test_one_builds_and_the_other_waits(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir(parents=True)
    other = os.open(home / first_build.LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(other, fcntl.LOCK_EX)
    waits, built = threading.Event(), []
    monkeypatch.setattr(render, "note", lambda text: waits.set() if "waiting for it" in text else None)
    monkeypatch.setattr(builder, "build_catalog", lambda *_, **__: built.append(1))
    asker = threading.Thread(target=lambda: first_build.made_default(quiet=False))
    asker.start()
    assert waits.wait(60)
    (home / "catalog").mkdir()  # the other one has built it
    os.close(other)
    asker.join(60)
    assert (asker.is_alive(), built) == (False, [])
    assert (home / first_build.LOCK).stat().st_mode & 0o777 == 0o600


def test_whoever_can_read_the_folder_cannot_delay_a_build(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Such as another user of the machine: a file can be locked by everybody who can open it."""
    home.mkdir(parents=True)
    other = os.open(home, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    assert main.run(["lookup", OF_AMDSEV]) == 0
    assert "waiting" not in capsys.readouterr().err
    os.close(other)


def test_a_folder_that_cannot_be_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").write_text("a file, where the folder should be")
    assert main.run(["lookup", OF_AMDSEV]) == 5
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith(f"ldcat: error: no catalog yet, and none can be built: {home}")
    assert hint.startswith("ldcat: hint: name a catalog with --catalog DIR or URL, or another data folder with XDG_")


def test_a_full_disk(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: object, **__: object) -> None:
        raise DiskFull(f"{home}: no space is left")

    monkeypatch.setattr(builder, "build_catalog", full)
    assert main.run(["lookup", OF_AMDSEV]) == 5
    assert "none can be built: " in capsys.readouterr().err
    assert not (home / "catalog").exists()


def test_an_interrupt_leaves_nothing_half_written(tmp_path: Path) -> None:
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LDCAT_HASH_BACKEND": "python"}
    command = [sys.executable, "-m", "catalog", "lookup", NOWHERE]
    with subprocess.Popen(command, env=clean, stderr=subprocess.PIPE, cwd=ROOT, preexec_fn=hear_interrupts) as process:
        home = tmp_path / ".local/share/ldcat"
        until((home / ".catalog.ldcat-partial").exists)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        told = process.stderr.read().splitlines()
    assert process.returncode == 130
    assert told[-1] == b"ldcat: error: interrupted"
    assert [path.name for path in home.iterdir()] == [first_build.LOCK]
