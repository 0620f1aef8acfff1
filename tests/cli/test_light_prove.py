"""The light path of `ldcat prove`: its proofs are those of the full path."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.cli.light.light_prove import light_prove
from catalog.cli.main import run
from catalog.log.records import parse_row
from tests.support.catalogs import digest_of
from tests.support.published_logs import Place, cosigned_today, revoke

ROOT = Path(__file__).parents[2]
HEAVY = {
    "base64",
    "cryptography",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "json",
    "msgspec",
    "pathlib",
    "pyarrow",
}
HEAVY |= {"re", "typer", "typing"}

Printed = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def published(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A log with two releases."""
    made = cosigned_today(tmp_path_factory.mktemp("place"), small)
    made.publish()
    return made


@pytest.fixture
def here(published: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a copy of the log."""
    monkeypatch.delenv("LDCAT_QUIET", raising=False)
    monkeypatch.delenv("LDCAT_LOG", raising=False)
    shutil.copytree(published.log, tmp_path / "log")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("line", ["", "--quiet", "--tlog-proof", "-q --tlog-proof"])
@pytest.mark.usefixtures("here")
def test_every_proof_is_that_of_the_full_path(line: str, published: Place, capsys: Printed) -> None:
    leaves = [leaf for leaf in published.leaves() if b'"type":"digest"' in leaf]
    for leaf in leaves[:: len(leaves) // 9]:
        arguments = [parse_row(leaf).launch_digest, "--catalog", "./log/", *line.split()]
        code = run(["prove", *arguments])
        assert light_prove(arguments) == (*capsys.readouterr(), code)


def test_all_configurations_of_one_digest(small: BuildResult, here: Path, capsys: Printed) -> None:
    """Several builds of the default catalog have one image: one record. Several records have a note."""
    digest = digest_of(small, "sev-es")
    code = run(["prove", digest, "--catalog=log"])
    assert light_prove([digest, f"--catalog={here}/log"]) == (*capsys.readouterr(), code)


@pytest.mark.parametrize(
    "line",
    [
        "DIGEST",
        "--catalog log",
        "DIGEST DIGEST --catalog log",
        "DIGEST --catalog log --catalog log",
        "DIGEST --catalog",
        "DIGEST --catalog https://example.com/log",
        "DIGEST --catalog nowhere",
        "DIGEST --catalog //nowhere",
        "DIGEST --catalog log --trust trust",
        "DIGEST --catalog log --show",
        "DIGES --catalog log",
        "0" * 96 + " --catalog log",
        "1" * 64 + " --catalog log",
        "",
    ],
)
@pytest.mark.usefixtures("here")
def test_all_else_takes_the_full_path(line: str, small: BuildResult) -> None:
    assert light_prove(line.replace("DIGEST", digest_of(small, "sev-snp")).split()) is None


def test_quiet_in_the_environment_takes_the_full_path(
    small: BuildResult, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDCAT_QUIET", "1")
    assert light_prove([digest_of(small, "sev-snp"), "--catalog", str(here / "log")]) is None


def test_a_log_that_revokes_has_its_list_in_the_proof(small: BuildResult, tmp_path: Path, capsys: Printed) -> None:
    place = cosigned_today(tmp_path / "place", small)
    digest = digest_of(small, "sev-snp")
    place.publish(revoke("revoked", "is bad", vcpus=3))
    arguments = [digest, "--catalog", str(place.log)]
    code = run(["prove", *arguments])
    found = (*capsys.readouterr(), code)
    assert "is bad" in found[0]
    assert light_prove(arguments) in (None, found)


def test_a_changed_file_is_no_proof(here: Path, small: BuildResult, capsys: Printed) -> None:
    """Whatever file is changed: the light path gives up, or both say the same."""
    digest = digest_of(small, "sev-snp")
    arguments = [digest, "--catalog", "log"]
    whole = light_prove(arguments)
    assert whole
    files = sorted(path for path in (here / "log").rglob("*") if path.is_file())
    for path in files:
        data = path.read_bytes()
        for changed in (data[:-1], data[: len(data) // 2] + b"x" + data[len(data) // 2 + 1 :], b"", None):
            if changed is None:
                path.unlink()
            else:
                path.write_bytes(changed)
            found = light_prove(arguments)
            if found not in (None, whole):
                code = run(["prove", *arguments])
                assert found == (*capsys.readouterr(), code)
            path.write_bytes(data)


def test_no_large_library_is_loaded(small: BuildResult, here: Path) -> None:
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "before = set(sys.modules)\n"
        "from catalog.cli.light.light_prove import light_prove\n"
        f"assert light_prove([{digest_of(small, 'sev-snp')!r}, '--catalog', {str(here / 'log')!r}])\n"
        "print(*set(sys.modules) - before)\n"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & HEAVY
