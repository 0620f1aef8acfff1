"""The command line, the service, the Python API and the page give the same answer to every shared case of evidence."""

from __future__ import annotations

from pathlib import Path

from catalog import Release
from catalog.build.builder import BuildResult
from tests.support.browsers import Watched
from tests.support.cli import Run
from tests.support.evidence_cases import cases, input_of
from tests.support.four_readers import by_api, by_command, by_page, by_service
from tests.support.services import Service


def test_every_case_has_one_answer(
    seen: Watched, served: Service, small: BuildResult, run: Run, tmp_path: Path
) -> None:
    found = {}
    inputs = [input_of(case) for case in cases()]
    seen.page.goto(f"{served.url}/")
    with Release.open(small.folder) as release:
        for case, data, on_page in zip(cases(), inputs, by_page(seen.page, inputs), strict=True):
            path = tmp_path / "evidence"
            path.write_bytes(data)
            found[case["id"]] = (by_command(run, path), by_service(served, data), by_api(release, data), on_page)
    assert {name: answers for name, answers in found.items() if answers != (answers[0],) * 4} == {}
    accepted = {case["id"] for case in cases() if case["digest"] is not None}
    assert {name for name, answers in found.items() if answers[0]} == accepted
