"""Packages of Debian sid that the installed release does not have, unpacked in a folder of the test.

They are downloaded with an apt configuration of its own, so the system stays as it is.
"""

from __future__ import annotations

import atexit
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tests.oracles.go_programs import unavailable

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def unpack_from_sid(
    folder: Path, from_sid: Sequence[str], from_release: Sequence[str] = (), *, with_dependencies: bool = False
) -> str:
    """Unpack packages in `folder/unpacked`; returns what went wrong, empty if nothing did.

    from_release: packages of the release that is installed.
    with_dependencies: also of whatever the packages depend on, down to the C library.
    """
    if not all(map(shutil.which, ("apt-get", "dpkg-deb"))) or not KEYRING.is_file():
        unavailable(f"{from_sid[0]} is a package of Debian, and this is another system")
    state, release, problem = _state()
    if problem:
        return f"the packages of Debian sid cannot be listed: {problem}"
    (folder / "archives/partial").mkdir(parents=True)
    (folder / "unpacked").mkdir()
    wanted = [f"{name}/sid" for name in from_sid] + [f"{name}/{release}" for name in from_release]
    get = ["install", "--yes", "--download-only", "--no-install-recommends"] if with_dependencies else ["download"]
    done = _apt_get(state, *get, *wanted, f"-oDir::Cache::archives={folder}/archives", cwd=folder)
    if done.returncode:
        return f"{from_sid[0]} cannot be downloaded from Debian sid: {done.stderr}"
    for package in [*folder.glob("*.deb"), *folder.glob("archives/*.deb")]:
        subprocess.run(["dpkg-deb", "--extract", package, folder / "unpacked"], check=True)
        package.unlink()
    return ""


@cache
def _state() -> tuple[Path, str, str]:
    """A folder in which apt knows the packages of sid and of the release, the name of the release, and what went wrong.

    They are read once: it takes seconds of a processor.
    """
    mirror, release = _mirror()
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder)  # 80 MB
    entries = [f"deb [signed-by={KEYRING}] {mirror} {suite} main\n" for suite in (release, "sid")]
    (folder / "sources.list").write_text("".join(entries))
    for made in ("state/lists/partial", "cache"):
        (folder / made).mkdir(parents=True)
    (folder / "status").touch()
    done = _apt_get(folder, "update")
    return folder, release, done.stderr if done.returncode else ""


def _apt_get(state: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    settings = {
        "Dir::Etc::SourceList": state / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": state / "state",
        "Dir::State::Status": state / "status",
        "Dir::Cache": state / "cache",
        "Dir::Cache::pkgcache": "pkgcache.bin",  # containers of Debian keep none: each call would read all lists
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    options = [f"-o{name}={value}" for name, value in settings.items()]
    return subprocess.run(["apt-get", "-qq", *options, *arguments], cwd=cwd, capture_output=True, text=True)


def _mirror() -> tuple[str, str]:
    """The mirror from which this system gets Debian, and the name of its release."""
    uris = subprocess.run(["apt-get", "update", "--print-uris"], capture_output=True, text=True).stdout
    found = re.search(r"'(\S+/debian)/dists/([a-z]+)/InRelease'", uris)
    if found is None:
        unavailable("apt has no mirror of Debian")
    return found[1], found[2]
