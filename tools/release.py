"""Sdist, wheel and SBOM of a release, once everything that a publisher has to say is said: `make dist`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.sbom import LOCK, ROOT, sbom

PLACES = ("PUBLISHER:", "(unreleased)")
"""Mark what the publisher of a release has to fill in: names and addresses, and the date in the changelog."""

READ = ("SECURITY.md", "README.md", "CHANGELOG.md", "pyproject.toml")

BUILD = """
import sys
from setuptools import build_meta
out = sys.argv[1]
build_meta.build_sdist(out)
build_meta.build_wheel(out)
"""


def places(root: Path) -> Iterator[str]:
    """File, line and text of each place that is to be filled in yet."""
    for name in READ:
        for number, line in enumerate((root / name).read_text(encoding="utf-8").splitlines(), 1):
            if any(place in line for place in PLACES):
                yield f"{name}:{number}: {line.strip()}"


def main() -> None:
    """Refuse, or write everything to the folder named."""
    if found := [*places(ROOT)]:
        raise SystemExit("\n".join(["this is no release yet: fill in", *found]))
    out = Path(sys.argv[1]).resolve()
    out.mkdir(exist_ok=True)
    subprocess.run([sys.executable, "-c", BUILD, str(out)], cwd=ROOT, check=True)  # noqa: S603 - of this environment
    (out / "ldcat.cdx.json").write_bytes(sbom(LOCK))


if __name__ == "__main__":
    main()
