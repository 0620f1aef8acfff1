"""Packages of Debian sid that the installed release does not have, unpacked in a folder of the test.

They are downloaded with an apt configuration of its own, so the system stays as it is.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

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
    mirror, release = _mirror()
    suites = [release, "sid"] if from_release else ["sid"]  # reading the lists of a suite takes a second
    entries = [f"deb [signed-by={KEYRING}] {mirror} {suite} main\n" for suite in suites]
    (folder / "sources.list").write_text("".join(entries))
    for made in ("state/lists/partial", "cache/archives/partial", "unpacked"):
        (folder / made).mkdir(parents=True)
    (folder / "status").touch()
    settings = {
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": folder / "state",
        "Dir::State::Status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in settings.items())]
    wanted = [f"{name}/sid" for name in from_sid] + [f"{name}/{release}" for name in from_release]
    get = ["install", "--yes", "--download-only", "--no-install-recommends"] if with_dependencies else ["download"]
    for command in ([*apt, "update"], [*apt, *get, *wanted]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            return f"{from_sid[0]} cannot be downloaded from Debian sid: {done.stderr}"
    shutil.rmtree(folder / "state")  # 40 MB
    for package in [*folder.glob("*.deb"), *folder.glob("cache/archives/*.deb")]:
        subprocess.run(["dpkg-deb", "--extract", package, folder / "unpacked"], check=True)
        package.unlink()
    return ""


def _mirror() -> tuple[str, str]:
    """The mirror from which this system gets Debian, and the name of its release."""
    uris = subprocess.run(["apt-get", "update", "--print-uris"], capture_output=True, text=True).stdout
    found = re.search(r"'(\S+/debian)/dists/([a-z]+)/InRelease'", uris)
    if found is None:
        unavailable("apt has no mirror of Debian")
    return found[1], found[2]
