"""What `ldcat serve` loads before it is ready: what only diffs and signatures need is loaded for them."""

from __future__ import annotations

from pathlib import Path

from catalog.build.builder import BuildResult
from tests.support.services import service

LATER = ("catalog.diff", "catalog.explain", "cryptography", "duckdb", "h11", "numpy", "typer")

PRELUDE = f"""
import sys
from catalog.web import serving
run = serving.run_granian
def run_granian(*arguments, **options):
    print("loaded:", *(name for name in {LATER} if name in sys.modules), file=sys.stderr)
    run(*arguments, **options)
serving.run_granian = run_granian
"""


def test_modules_that_few_requests_need_are_loaded_later(small: BuildResult, tmp_path: Path) -> None:
    with service(tmp_path, small.folder, prelude=PRELUDE, fresh=True) as found:
        assert next(line for line in found.log_lines if line.startswith("loaded:")).split() == ["loaded:"]
