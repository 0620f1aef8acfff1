"""Measure in one run, and write docs/benchmarks.md; or measure some sections alone, and print them."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from catalog.abi.sha256_compression import in_use
from catalog.launch.hashing.backends import choose
from tools.bench.catalogs import Catalogs
from tools.bench.sections import SECTIONS, Section

HEAD = """\
# Benchmarks

Written by `make bench` in one run. Compare the figures with each other, not with those of other machines.
`make bench ONLY=NAME,NAME` measures some sections alone and prints them; their names are in parentheses.

"""

COMPARED = """\

## Two versions compared

`make bench BASE=COMMIT` compares the speed of HEAD with that of another commit. It installs both and runs lookups,
builds, the service and other commands of each in turn, in five rounds, on catalogs and logs that each version makes
of the same specs. The ratio is the median of the five rounds, above 1 if HEAD is faster. The exit code is 1 if a
figure is below 0.90. The last figure, `python -c pass`, is the same for both versions: its ratios show how much the
machine disturbs the others. `ROWS=1_000_000` needs less time and disk space than the default of 10 million rows.
"""

REPORT = Path(__file__).parent.parent.parent / "docs" / "benchmarks.md"


def main() -> None:
    """Run the measurements, and write or print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the large catalog")
    parser.add_argument("--only", default="", help="names of sections, separated by commas; the report is not written")
    given = parser.parse_args()
    names = [name for name in given.only.split(",") if name]
    if unknown := set(names) - {section.name for section in SECTIONS}:
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(section.name for section in SECTIONS)}")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each command compiles what it loads
    chosen = [section for section in SECTIONS if section.name in names or not names]
    parts = []
    with tempfile.TemporaryDirectory(prefix="ldcat-bench-") as work:
        for kind in ("state", "cache"):
            os.environ[f"XDG_{kind.upper()}_HOME"] = str(Path(work) / kind)
        for part in report(chosen, Catalogs(Path(work), given.rows)):
            sys.stdout.write(part)
            sys.stdout.flush()
            parts.append(part)
    if not names:
        REPORT.write_text("".join([*parts, COMPARED]), encoding="utf-8")


def report(sections: Sequence[Section], catalogs: Catalogs) -> Iterator[str]:
    """The report as Markdown, section by section."""
    yield HEAD + (
        f"Python {platform.python_version()}, {os.cpu_count()} processors. SHA-256 midstates: {in_use}.\n{choose()}.\n"
    )
    for section in sections:
        sys.stderr.write(f"bench: {section.name}\n")
        yield "\n".join(["", f"## {section.title} ({section.name})", "", *section.lines(catalogs), ""])


if __name__ == "__main__":
    main()
