"""Random command lines of `ldcat verify-proof` and `ldcat prove`: both paths have the same answer, or one has none."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.cli.light.light_proof import light_proof
from catalog.cli.light.light_prove import light_prove
from catalog.cli.main import run
from tests.support.attestation_builder import report_bytes, signed
from tests.support.catalogs import digest_of
from tests.support.published_logs import cosigned_today

Light = Callable[[list[str]], tuple[str, str, int] | None]

_VERIFY = ["proof", "proof", "--trust", "--trust", "trust", "trust", "--trust=trust", "-f", "--format", "json", "table"]
_VERIFY += [
    "-fjson",
    "--format=json",
    "-q",
    "--quiet",
    "--report",
    "DIGEST",
    "--report=DIGEST",
    "report.bin",
    "0x",
    "--",
]
_VERIFY += ["--report=report.bin", "--show", "--accept-older", "1d", "./proof", "", "--trus=trust", "-fq", "-qf"]
_PROVE = ["DIGEST", "DIGEST", "--catalog", "--catalog", "log", "log", "--catalog=log", "./log/", "-q", "--quiet", "--"]
_PROVE += [
    "--tlog-proof",
    "0xDIGEST",
    " DIGEST ",
    "BASE64",
    "",
    "--tlog",
    "-qq",
    "--catalog=",
    "log/releases/1",
    "https:log",
]


@pytest.fixture(scope="module")
def files(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log, its trust note, a proof, and a report."""
    folder = tmp_path_factory.mktemp("lines")
    place = cosigned_today(folder / "place", small)
    shutil.copytree(place.log, folder / "log")
    (folder / "trust").write_bytes(place.trust.read_bytes())
    digest = digest_of(small, "sev-snp")
    (folder / "digest").write_text(digest)
    (folder / "report.bin").write_bytes(signed(report_bytes(measurement=bytes.fromhex(digest))))
    proof = light_prove([digest, "--catalog", str(place.log)])
    assert proof
    (folder / "proof").write_text(proof[0])
    return folder


@pytest.mark.parametrize(
    ("command", "light", "vocabulary", "seed"),
    [("verify-proof", light_proof, _VERIFY, 1), ("prove", light_prove, _PROVE, 2)],
)
def test_a_line_has_the_same_answer_on_both_paths(
    command: str,
    light: Light,
    vocabulary: list[str],
    seed: int,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("FORMAT", "QUIET", "TRUST", "LOG"):
        monkeypatch.delenv(f"LDCAT_{name}", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(files / "state"))
    monkeypatch.chdir(files)
    digest, chosen, answered = (files / "digest").read_text(), random.Random(seed), 0
    for _ in range(20_000):
        words = chosen.choices(vocabulary, k=chosen.randrange(2, 8))
        line = [word.replace("DIGEST", digest) for word in words]
        found = light(line)
        if found is None:
            continue
        answered += 1
        if answered > 40:
            break
        code = run([command, *line])
        assert found == (*capsys.readouterr(), code), line
    assert answered > 20
