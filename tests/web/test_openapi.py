"""The service conforms to its OpenAPI description: schemathesis sends all that it allows, and more."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.web.openapi import openapi
from tests.support.catalogs import rows_of
from tests.support.services import ROOT, Service


def test_every_path_is_described(served: Service) -> None:
    described = json.loads(served.ask("/openapi.json")[1])
    assert described == openapi()
    assert described["paths"]["/v1/lookup"]["post"]["summary"] == "Look up at most 1,000 digests"
    for path in ("/builds", "/releases", "/healthz", "/readyz", "/metrics", "/openapi.json", "/checkpoint"):
        status, _, headers = served.ask(path)
        assert status == 200
        content = described["paths"][path]["get"]["responses"]["200"]["content"]
        assert headers["Content-Type"].partition(";")[0] in content


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("vcpus", counts) for counts in ("4", "1-8", "1-64,96", "1-2,4-4096")),
        *(("sev_features", bits) for bits in ("0x1", "0x8000000000000001")),
        *(("vcpu_signature", number) for number in ("0x00A00F11", "4294967295")),
        ("name", "n" * 255),
        ("issuer", "i" * 512),
    ],
)
def test_a_client_may_ask_for_what_an_export_takes(name: str, text: str) -> None:
    parameters = openapi()["paths"]["/v1/exports/{format}"]["get"]["parameters"]
    (schema,) = (one["schema"] for one in parameters if one["name"] == name)
    assert re.search(schema.get("pattern", ""), text)
    assert len(text) <= schema.get("maxLength", len(text))


EXPORTS = """
[[operations]]
include-path-regex = "^/v1/exports/."
warnings = false
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409"]
"""
"""No schema says which parameters of an export exclude or need each other."""


@pytest.mark.long
def test_schemathesis_finds_nothing(served: Service, small: BuildResult, tmp_path: Path) -> None:
    """Valid and invalid data, with all checks; also with digests that exist."""
    digest = next(digest.hex() for digest in rows_of(small).values())
    described = json.loads(served.ask("/openapi.json")[1])
    for path in ("/d/{digest}.json", "/d/{digest}", "/d/{digest}.proof"):
        described["paths"][path]["get"]["parameters"][0]["example"] = digest
    del described["paths"]["/v1/exports/{format}/sidecar"]  # reads the same parameters, and takes as long again
    (tmp_path / "openapi.json").write_text(json.dumps(described))
    (tmp_path / "schemathesis.toml").write_text(EXPORTS)
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(tmp_path / "openapi.json"), "--url", served.url]
    command += ["--checks", "all", "--max-examples", "30", "--seed", "1", "--no-color", "--mode", "all"]
    command += ["--generation-database", "none"]  # nothing from another run but the tables of Unicode
    tables = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis")}
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=tables, check=False, timeout=300)
    assert found.returncode == 0, "\n".join(line[:400] for line in found.stdout.splitlines()) + found.stderr[-2000:]
    assert "No issues found" in found.stdout
    assert not any("internal error" in line for line in served.log_lines)
    assert ROOT.is_dir()
