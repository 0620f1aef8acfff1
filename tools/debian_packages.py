"""Fetches Debian packages by exact version, with an apt whose state is private and thrown away.

The sites are those of the machine's own apt configuration, and so are proxies and credentials. Nothing of
the machine's apt is changed, and no root is needed.
Source: apt.conf(5), sources.list(5), apt-get(8) indextargets, apt-cache(8) pkgnames and madison; dpkg-deb(1).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catalog.errors import Unreadable

ARCHITECTURE = "amd64"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

_NO_SUITE = "does not have a Release file"

_HOOKS = ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")
"""Commands that apt runs around an update of the machine: they have no business in a private one."""


@dataclass(frozen=True, order=True, slots=True)
class Package:
    """A binary package of a suite at one version."""

    suite: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.suite} {self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A package that was fetched: SHA-256 of the .deb in lowercase hex, and the folder of its files."""

    sha256: str
    root: Path


@dataclass(slots=True)
class Mirror:
    """Fetches from the first of `sites` that has a suite, into subfolders of the existing folder `work`.

    `absent` collects the suites that no site has.
    """

    sites: Sequence[str]
    work: Path
    absent: set[str] = field(default_factory=set)
    _configs: dict[str, Path | Unreadable] = field(default_factory=dict)

    def fetch(self, package: Package) -> Fetched | None:
        """Fetch and unpack a package; None where the mirror no longer has it.

        Raises Unreadable for a suite whose signature does not hold, and for a package that is listed and
        cannot be fetched or unpacked.
        """
        config = self._configuration(package.suite)
        wanted = f"{package.name}={package.version}"
        if config is None or not _run("apt-cache", f"--config-file={config}", "show", wanted).stdout:
            return None
        folder = self.work / "packages" / f"{package.suite}_{package.name}_{package.version}"
        folder.mkdir(parents=True)
        _run("apt-get", f"--config-file={config}", "download", wanted, cwd=folder)
        files = list(folder.glob("*.deb"))
        if len(files) != 1:
            raise Unreadable(f"apt lists {package} and does not fetch it", "try again, or another mirror")
        root = folder / "root"
        if _run("dpkg-deb", "--extract", str(files[0]), str(root)).returncode:
            raise Unreadable(f"dpkg-deb does not unpack {package}")
        with files[0].open("rb") as deb:
            sha256 = hashlib.file_digest(deb, "sha256").hexdigest()
        files[0].unlink()
        return Fetched(sha256, root)

    def packages(self, suite: str, prefix: str) -> list[Package]:
        """Every package of a suite whose name begins with `prefix`, at each version; none where no site has the suite.

        Raises Unreadable for a suite whose signature does not hold.
        """
        config = self._configuration(suite)
        if config is None:
            return []
        names = _run("apt-cache", f"--config-file={config}", "pkgnames", prefix).stdout.split()
        listed = _run("apt-cache", f"--config-file={config}", "madison", *names).stdout if names else ""
        fields = [[part.strip() for part in line.split("|")] for line in listed.splitlines()]
        return [Package(suite, name, version) for name, version, _ in fields]

    def _configuration(self, suite: str) -> Path | None:
        if suite in self.absent:
            return None
        if suite not in self._configs:
            self._update(suite)
            return self._configuration(suite)
        config = self._configs[suite]
        if isinstance(config, Unreadable):
            raise config
        return config

    def _update(self, suite: str) -> None:
        """Find out where the suite is: afterwards it is in `absent` or has its entry in `_configs`."""
        lacking = 0
        for number, site in enumerate(self.sites):
            config = _private_apt(self.work / "apt" / f"{suite}-{number}", site, suite)
            update = _run("apt-get", f"--config-file={config}", "--error-on=any", "update")
            if update.returncode == 0:
                self._configs[suite] = config
                return
            lacking += _NO_SUITE in update.stderr
        if lacking == len(self.sites):
            self.absent.add(suite)
            return
        hint = f"is the network up, and is {KEYRING} (package debian-archive-keyring) installed?"
        self._configs[suite] = Unreadable(f"apt cannot read or verify the suite {suite}", hint)


def configured_sites() -> list[str]:
    """The sites of the machine's apt configuration, in its order; raises Unreadable where there is none."""
    shown = _run("apt-get", "indextargets", "--no-release-info", "--format", "$(SITE)", "Created-By: Packages").stdout
    sites = list(dict.fromkeys(line for line in shown.splitlines() if "://" in line))
    if not sites:
        raise Unreadable("the apt configuration of this machine names no site", "give one with --site")
    return sites


def _private_apt(folder: Path, site: str, suite: str) -> Path:
    """The configuration file of an apt that knows one suite of one site and keeps everything in `folder`."""
    for part in ("lists/partial", "archives/partial", "parts"):
        (folder / part).mkdir(parents=True)
    (folder / "status").touch()
    # without the keyring's package, apt's own trusted keys decide; an unsigned suite is refused either way
    signed_by = f" signed-by={KEYRING}" if KEYRING.exists() else ""
    (folder / "sources.list").write_text(
        f"deb [arch={ARCHITECTURE} target=Packages{signed_by}] {site} {suite} main\n", encoding="utf-8"
    )
    settings = {
        "APT::Architecture": ARCHITECTURE,
        "APT::Architectures": ARCHITECTURE,
        "Dir::State": folder,
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder,
        "Dir::Cache::archives": folder / "archives",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": folder / "parts",
        "Dir::Etc::preferences": folder / "status",
        "Dir::Etc::preferencesparts": folder / "parts",
    }
    if os.geteuid() == 0:
        settings["APT::Sandbox::User"] = "root"  # the user apt would change to cannot write here
    lines = [f"#clear APT::Update::{hook};" for hook in _HOOKS]
    lines += ["#clear APT::Architectures;"]
    lines += [f'{name} "{value}";' for name, value in settings.items()]
    config = folder / "apt.conf"
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return config


def _run(command: str, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = shutil.which(command)
    if path is None:
        raise Unreadable(f"{command} is not installed", "this command runs on Debian and Ubuntu")
    return subprocess.run(  # noqa: S603  no shell, and every argument is a record's or our own
        [path, *arguments],
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C"},  # what apt says is compared
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
