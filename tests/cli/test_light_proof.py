"""The light path of `ldcat verify-proof`: it says and keeps what the full path says and keeps, or nothing."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from catalog.build.builder import BuildResult
from catalog.cli.light import light_proof as module
from catalog.cli.light.light_proof import light_proof
from catalog.cli.main import run
from tests.support.attestation_builder import report_bytes, signed
from tests.support.catalogs import digest_of
from tests.support.published_logs import Place, cosigned_today, revoke

ROOT = Path(__file__).parents[2]
HEAVY = {"base64", "contextlib", "dataclasses", "enum", "functools", "hashlib", "json", "msgspec", "pathlib", "pyarrow"}
HEAVY |= {"re", "typer", "typing"}

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def place(small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> Place:
    """A log, cosigned today. The current folder has its trust note, a proof of a digest, and a report with it."""
    for name in ("FORMAT", "QUIET", "TRUST"):
        monkeypatch.delenv(f"LDCAT_{name}", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = cosigned_today(tmp_path / "place", small)
    monkeypatch.chdir(tmp_path)
    Path("trust").write_bytes(made.trust.read_bytes())
    digest = digest_of(small, "sev-snp")
    prove(made, digest, capsys)
    Path("digest").write_text(digest)
    Path("report.bin").write_bytes(signed(report_bytes(measurement=bytes.fromhex(digest))))
    return made


def prove(place: Place, digest: str, capsys: Printed) -> None:
    assert run(["prove", digest, "--catalog", str(place.log)]) == 0
    Path("proof").write_text(capsys.readouterr().out)


def words(line: str) -> list[str]:
    return ["proof", "--trust", "trust", *line.replace("DIGEST", Path("digest").read_text()).split()]


def kept() -> dict[str, bytes]:
    """What this machine keeps of the log."""
    return {
        path.name: path.read_bytes() for path in Path("state/ldcat/seen").glob("*") if not path.name.endswith(".lock")
    }


def forget() -> None:
    shutil.rmtree("state", ignore_errors=True)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "-f json",
        "--format=json -q",
        "--quiet",
        "--report DIGEST",
        "--report=DIGEST -f json",
        "--report report.bin",
        "-f json --report report.bin",
    ],
)
@pytest.mark.usefixtures("place")
def test_it_prints_and_keeps_what_the_full_path_does(line: str, capsys: Printed) -> None:
    code = run(["verify-proof", *words(line)])
    expected, was_kept = (*capsys.readouterr(), code), kept()
    assert light_proof(words(line)) == expected  # what is kept stays
    assert kept() == was_kept
    forget()
    assert light_proof(words(line)) == expected  # for the first time
    assert kept() == was_kept
    assert len(was_kept) == 2


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
        "proof --trust trust --report digest.txt",
        "proof --trust trust --report " + "0" * 96,
        "proof --trust trust --accept-older 1d",
        "proof --trust trust --leaf proof",
        "- --trust trust",
        "nowhere --trust trust",
        "proof --trust nowhere",
        "trust --trust trust",
        "proof --trust proof",
        "",
    ],
)
@pytest.mark.usefixtures("place")
def test_all_else_takes_the_full_path(line: str) -> None:
    assert light_proof(["proof", "--trust", "trust"])
    before = kept()
    assert light_proof(line.split()) is None
    assert kept() == before


@pytest.mark.parametrize("name", ["LDCAT_FORMAT", "LDCAT_QUIET", "LDCAT_TRUST"])
@pytest.mark.usefixtures("place")
def test_settings_take_the_full_path(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "json")
    assert light_proof(["proof", "--trust", "trust"]) is None


@pytest.mark.usefixtures("place")
def test_a_stale_or_early_proof_takes_the_full_path(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    for later, holds in ((0, True), (3_600, True), (2 * 86_400, False), (365 * 86_400, False), (-86_400, False)):
        monkeypatch.setattr(module, "time", lambda later=later: now + later)
        assert (light_proof(["proof", "--trust", "trust"]) is not None) == holds


def test_an_older_proof_takes_the_full_path(small: BuildResult, place: Place, capsys: Printed) -> None:
    older = Path("proof").read_bytes()
    place.publish(revoke("revoked", launch_digest=digest_of(small, "sev-es")))
    prove(place, Path("digest").read_text(), capsys)
    assert run(["verify-proof", "proof", "--trust", "trust"]) == 0
    Path("proof").write_bytes(older)
    assert light_proof(["proof", "--trust", "trust"]) is None
    assert run(["verify-proof", "proof", "--trust", "trust"]) == 9
    capsys.readouterr()


@pytest.mark.parametrize(("severity", "code"), [("revoked", 7), ("deprecated", 0)])
def test_a_log_that_revokes_takes_the_full_path(place: Place, severity: Any, code: int, capsys: Printed) -> None:
    assert light_proof(["proof", "--trust", "trust"])
    place.publish(revoke(severity, launch_digest=Path("digest").read_text()))
    place.cosign()
    prove(place, Path("digest").read_text(), capsys)
    assert light_proof(["proof", "--trust", "trust"]) is None
    assert run(["verify-proof", "proof", "--trust", "trust"]) == code


@pytest.mark.parametrize("damage", ["", "x", "\n"])
@pytest.mark.parametrize("suffix", ["note", "revocations"])
@pytest.mark.usefixtures("place")
def test_what_was_seen_is_read_strictly(suffix: str, damage: str) -> None:
    assert light_proof(["proof", "--trust", "trust"])
    (path,) = Path("state/ldcat/seen").glob(f"*.{suffix}")
    whole = path.read_text()
    path.write_text(damage)
    assert light_proof(["proof", "--trust", "trust"]) is None
    path.write_text(whole)
    assert light_proof(["proof", "--trust", "trust"])
    path.chmod(0o666)
    assert light_proof(["proof", "--trust", "trust"]) is None


@pytest.mark.usefixtures("place")
def test_a_fork_takes_the_full_path(capsys: Printed) -> None:
    assert light_proof(["proof", "--trust", "trust"])
    (path,) = Path("state/ldcat/seen").glob("*.note")
    lines = path.read_text().split("\n")
    path.write_text("\n".join([lines[0], lines[1], "A" * 43 + "=", *lines[3:]]))
    assert light_proof(["proof", "--trust", "trust"]) is None
    assert run(["verify-proof", "proof", "--trust", "trust"]) == 4
    assert "fork" in capsys.readouterr().out


@pytest.mark.usefixtures("place")
def test_changed_files_say_the_same_on_both_paths(capsys: Printed) -> None:
    """Each change of a proof or of a trust note, with nothing seen before: no answer, or the same."""
    chosen = random.Random(23)
    both = {name: Path(name).read_bytes() for name in ("proof", "trust")}
    answered = 0
    for number in range(120):
        name = ("proof", "trust")[number % 2]
        whole = both[name]
        at = chosen.randrange(len(whole))
        more = chosen.choice([b"", b"A", b"\n", b"0", b" ", b"\\n", bytes([whole[at] ^ 1]), whole[at : at + 40]])
        Path(name).write_bytes(whole[:at] + more + whole[at + chosen.randrange(3) :])
        forget()
        light = light_proof(["proof", "--trust", "trust"])
        assert not capsys.readouterr().err
        if light is not None:
            answered += 1
            forget()
            code = run(["verify-proof", "proof", "--trust", "trust"])
            assert light == (*capsys.readouterr(), code)
        Path(name).write_bytes(whole)
    assert answered < 20


@pytest.mark.usefixtures("place")
def test_no_large_library_is_loaded() -> None:
    assert light_proof(["proof", "--trust", "trust"])
    for line in (words(""), words("-f json"), words("--report report.bin")):
        code = (
            "import sys\n"
            f"sys.path[:0] = [{str(ROOT)!r}, *{[path for path in sys.path if 'site-packages' in path]!r}]\n"
            "before = set(sys.modules)\n"
            "from catalog.cli.light.light_proof import light_proof\n"
            f"assert light_proof({line!r})\n"
            "print(*set(sys.modules) - before)\n"
        )
        done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
        assert not set(done.stdout.split()) & HEAVY


@pytest.mark.usefixtures("place")
def test_json_is_one_document(capsys: Printed) -> None:
    run(["verify-proof", *words("-f json")])
    found = light_proof(words("-f json"))
    assert found
    assert json.loads(found[0]) == json.loads(capsys.readouterr().out)
