"""Everything of a release in one folder, once all that a publisher has to say is said and committed: `make release`."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from catalog import __version__
from tools import wheels
from tools.sbom import LOCK, ROOT, sbom

PLACES = ("PUBLISHER:", "(unreleased)")
"""Mark what the publisher of a release has to fill in: names and addresses, and the date in the changelog."""

READ = ("SECURITY.md", "README.md", "CHANGELOG.md", "pyproject.toml")

SUMS = "SHA256SUMS"


def places(root: Path) -> Iterator[str]:
    """File, line and text of each place that is to be filled in yet."""
    for name in READ:
        for number, line in enumerate((root / name).read_text(encoding="utf-8").splitlines(), 1):
            if any(place in line for place in PLACES):
                yield f"{name}:{number}: {line.strip()}"


def uncommitted() -> list[str]:
    """What the last commit does not have, a line a file, as git writes it."""
    status = ["git", "status", "--porcelain", "--untracked-files=all"]
    return subprocess.run(status, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()  # noqa: S603


def write_release(out: Path) -> None:
    """Write sdist, wheels, lock file and SBOM of the service, and the SHA-256 of each to a folder."""
    made = wheels.build_all(out)
    for said in wheels.try_newest(made):
        sys.stdout.write(f"{said}\n")
    shutil.copyfile(LOCK, out / f"ldcat-{__version__}-serve.requirements.txt")
    (out / f"ldcat-{__version__}-serve.cdx.json").write_bytes(sbom(LOCK))
    files = sorted(path for path in out.iterdir())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (out / SUMS).write_text("".join(sums), encoding="ascii")


def main() -> None:
    """Refuse, or write everything to the folder named, which is there only if all of it succeeded."""
    out = Path(sys.argv[1]).resolve()
    if found := [*places(ROOT)]:
        raise SystemExit("\n".join(["this is no release yet: fill in", *found]))
    if found := uncommitted():
        raise SystemExit("\n".join(["this is no release yet: commit or remove", *found]))
    if out.is_dir() and any(out.iterdir()):
        raise SystemExit(f"{out} has files of an earlier run: remove it")
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        write_release(Path(folder))
        Path(folder).chmod(0o755)
        shutil.copytree(folder, out, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
