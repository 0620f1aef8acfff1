"""The light path of `ldcat verify-proof`: it prints what the full path printed, as long as that holds."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.cli.light import light_proof as module
from catalog.cli.light.light_proof import light_proof
from catalog.cli.main import run
from tests.support.catalogs import digest_of
from tests.support.published_logs import cosigned_today

ROOT = Path(__file__).parents[2]
HEAVY = {"cryptography", "dataclasses", "enum", "json", "msgspec", "pathlib", "pyarrow", "re", "typer", "typing"}


@pytest.fixture
def here(
    small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    """The current folder, with a log, its trust note, and a proof of a digest, all of today."""
    for name in ("FORMAT", "QUIET", "TRUST"):
        monkeypatch.delenv(f"LDCAT_{name}", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    place = cosigned_today(tmp_path / "place", small)
    monkeypatch.chdir(tmp_path)
    Path("trust").write_bytes(place.trust.read_bytes())
    digest = digest_of(small, "sev-snp")
    assert run(["prove", digest, "--catalog", str(place.log)]) == 0
    Path("proof").write_text(capsys.readouterr().out)
    Path("digest").write_text(digest)
    return tmp_path


def verified(*more: str, times: int = 2) -> None:
    """Verify on the full path: the first time something new is seen, so the next one is remembered."""
    for _ in range(times):
        assert run(["verify-proof", "proof", "--trust", "trust", *more]) == 0


@pytest.mark.parametrize(
    "line", ["", "-f json", "--format=json -q", "--quiet", "--report DIGEST", "--report=DIGEST -f json"]
)
@pytest.mark.usefixtures("here")
def test_it_prints_what_the_full_path_prints(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = line.replace("DIGEST", Path("digest").read_text()).split()
    arguments = ["proof", "--trust", "trust", *more]
    assert light_proof(arguments) is None
    verified(*more)
    capsys.readouterr()
    code = run(["verify-proof", *arguments])
    assert light_proof(arguments) == (*capsys.readouterr(), code)


@pytest.mark.parametrize(
    "line",
    [
        "proof",
        "--trust trust",
        "proof proof --trust trust",
        "proof --trust trust --trust trust",
        "proof --trust trust --show",
        "proof --trust trust -f csv",
        "proof --trust trust -f",
        "proof --trust trust --report digest",
        "proof --trust trust --accept-older 1d",
        "proof --trust trust --leaf proof",
        "- --trust trust",
        "nowhere --trust trust",
        "proof --trust nowhere",
        "./proof --trust trust",
        "",
    ],
)
@pytest.mark.usefixtures("here")
def test_all_else_takes_the_full_path(line: str) -> None:
    verified()
    assert light_proof(["proof", "--trust", "trust"])
    assert light_proof(line.split()) is None


@pytest.mark.usefixtures("here")
def test_it_holds_for_the_same_bytes_only() -> None:
    verified()
    for name in ("proof", "trust"):
        whole = Path(name).read_bytes()
        Path(name).write_bytes(whole + b"\n")
        assert light_proof(["proof", "--trust", "trust"]) is None
        Path(name).write_bytes(whole)
        assert light_proof(["proof", "--trust", "trust"])


def test_it_holds_while_nothing_else_was_seen(here: Path) -> None:
    verified()
    (seen,) = (here / "state/ldcat/seen").glob("*.note")
    seen.write_bytes(seen.read_bytes() + b"\n")
    assert light_proof(["proof", "--trust", "trust"]) is None


def test_it_holds_only_while_the_proof_is_fresh(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verified()
    now = time.time()
    for later, holds in ((0, True), (3_600, True), (365 * 86_400, False), (-86_400, False)):
        monkeypatch.setattr(module, "time", lambda later=later: now + later)
        assert (light_proof(["proof", "--trust", "trust"]) is not None) == holds


def test_state_that_others_can_write_is_not_trusted(here: Path) -> None:
    verified()
    (kept,) = (here / "state/ldcat/proofs").iterdir()
    kept.chmod(0o666)
    assert light_proof(["proof", "--trust", "trust"]) is None


def test_a_damaged_file_says_nothing(here: Path) -> None:
    verified()
    (kept,) = (here / "state/ldcat/proofs").iterdir()
    for data in (
        b"",
        b"x" * 9,
        b"\n" * 9,
        b"\xff",
        kept.read_bytes().replace(b"ldcat-known-proof/1", b"ldcat-known-proof/0"),
    ):
        kept.write_bytes(data)
        assert light_proof(["proof", "--trust", "trust"]) is None


def test_nothing_but_a_match_is_remembered(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        assert run(["verify-proof", "proof", "--trust", "trust", "--report", "0" * 96]) == 1
        assert run(["verify-proof", "proof", "--trust", "trust", "--accept-older", "1d"]) == 0
    assert not (here / "state/ldcat/proofs").exists()
    verified(times=1)
    assert light_proof(["proof", "--trust", "trust", "--report", "0" * 96]) is None


@pytest.mark.usefixtures("here")
def test_no_large_library_is_loaded() -> None:
    verified()
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "before = set(sys.modules)\n"
        "from catalog.cli.light.light_proof import light_proof\n"
        "assert light_proof(['proof', '--trust', 'trust'])\n"
        "print(*set(sys.modules) - before)\n"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & HEAVY
