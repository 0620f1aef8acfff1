"""The runner of the fuzz targets: what it takes for a target that passed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz import fuzz_inputs


def fuzzed(targets: Any, name: str, limits: fuzz_inputs.Limits, folder: Path) -> None:
    """In place of atheris, which the tests do not need: with the executions, exit code and crash in the name."""
    executions, code, crash = name.split()
    (folder / fuzz_inputs.OUTPUT).write_text(f"stat::number_of_executed_units: {executions}\n")
    if crash != "-":
        (folder / f"crash-{name}").write_bytes(crash.encode())
    os._exit(int(code))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["51 0 -", "52 0 -", "53 0 -"], ["51 0 -: 51 executions, ok"]),
        (["51 0 -", "50 0 -"], ["51 0 -: 51 executions, ok", "50 0 -: FAILED after 50 executions, exit code 0"]),
        (["51 1 -"], ["51 1 -: FAILED after 51 executions, exit code 1"]),
        (["51 77 abc"], ["51 77 abc: FAILED after 51 executions, exit code 77", "51 77 abc: input in base64: YWJj"]),
    ],
)
def test_a_target_passes_that_was_executed_often_and_ended_well(
    names: list[str],
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(fuzz_inputs, "fuzz", fuzzed)
    passed = fuzz_inputs.run_all(None, names, fuzz_inputs.Limits(60), tmp_path)
    assert passed is (len(said) == 1 and said[0].endswith("ok"))
    shown = capsys.readouterr().out.splitlines()
    assert {*said} <= {*shown}


def test_a_target_that_does_not_end_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fuzz_inputs, "fuzz", lambda *_: os.read(os.pipe()[0], 1))
    monkeypatch.setattr(fuzz_inputs, "MORE_SECONDS", 0)
    assert not fuzz_inputs.run_all(None, ["one"], fuzz_inputs.Limits(0), tmp_path)
    assert capsys.readouterr().out == "one: FAILED, it does not end\n"
