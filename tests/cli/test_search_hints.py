"""A lookup that finds nothing names the whole command that searches further, the same on every path."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.cli import main
from catalog.cli.light.light_lookup import light_lookup
from catalog.fast.plain_lookup import plain_lookup
from tests.support.catalogs import rows_of
from tests.support.cli import NOWHERE, Run
from tests.support.published_logs import Place

MISSING = "0" * 64


def _hint(err: str) -> str:
    (found,) = re.findall(r"^ldcat: note: to search further: (.*)$", err, re.MULTILINE)
    return str(found)


@pytest.mark.parametrize("named", ["catalog", "./catalog", "a folder/catalog", "catalog/", "catalog/."])
def test_every_path_names_the_same_command(
    named: str, small: BuildResult, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LDCAT_CATALOG")
    monkeypatch.chdir(tmp_path)
    Path("a folder").mkdir()
    for place in ("catalog", "a folder/catalog"):
        Path(place).symlink_to(small.folder)
    line = ["lookup", MISSING, "--catalog", named]
    code, _, err = run(*line)
    assert (code, _hint(err)) == (1, shlex.join(["ldcat", "explain", MISSING, "--catalog", str(Path(named))]))
    assert light_lookup([*line[1:], "-f", "json"])[1] == err  # type: ignore[index]
    plain = plain_lookup(line[1:])
    assert (plain is None) == (" " in named)
    assert plain is None or plain[1] == err


def test_what_the_environment_names_is_left_out(small: BuildResult, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ((), ("--catalog", str(small.folder))):
        code, _, err = run("lookup", MISSING, *options)
        assert (code, _hint(err)) == (1, f"ldcat explain {MISSING}")
        found = plain_lookup([MISSING, *options])
        assert found is not None
        assert found[1] == err


def test_the_command_runs_as_it_is(
    place: Place, small: BuildResult, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = max(digest.hex() for row, digest in rows_of(small).items() if row[0] == "sev-snp")
    _, _, err = run("lookup", NOWHERE, *place.options())
    assert _hint(err) == shlex.join(["ldcat", "explain", NOWHERE, *place.options()])
    assert main.run([*shlex.split(_hint(err).replace(NOWHERE, digest))[1:], "--budget", "5"]) == 0
    _, _, err = run("lookup", NOWHERE, *place.options()[:2], "--insecure-skip-verify")
    assert _hint(err).endswith(f" --catalog {place.log} --insecure-skip-verify")


def test_what_was_tried_is_said_in_plain_words(run: Run) -> None:
    _, _, err = run("lookup", NOWHERE)
    assert (
        "ldcat: note: no known digest was found to be it with another number of vCPUs; "
        "tried: rows of the catalog with up to 255 fewer vCPUs, and not with more\n"
    ) in err
