"""google/go-sev-guest as a process: the program in go_sev_guest.

Debian's stable releases do not have it, so two packages are downloaded from sid, and the libraries that they need from
the release that is installed; all of them are unpacked in a folder of the test, with an apt configuration of its own.
The Go of that release compiles them; the test is skipped, even where oracles are required, if sid has a go-sev-guest
for which it has become too old.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.oracles.go_programs import GoProgram, go_build, require, unavailable
from tests.support.attestation_builder import chain
from tests.support.certificate_builder import pem

SOURCES = Path(__file__).parent / "go_sev_guest"
IMPORTED = "github.com/google/go-sev-guest"
FROM_SID = ("golang-github-google-go-sev-guest-dev", "golang-github-google-logger-dev")
FROM_RELEASE = (
    "golang-github-google-uuid-dev",
    "golang-go.uber-atomic-dev",
    "golang-go.uber-multierr-dev",
    "golang-golang-x-crypto-dev",
    "golang-golang-x-sys-dev",
    "golang-google-protobuf-dev",
)
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@pytest.fixture(scope="session")
def go_sev_guest(tmp_path_factory: pytest.TempPathFactory) -> GoProgram:
    require({"golang-go": "go"})
    folder = tmp_path_factory.mktemp("go_sev_guest")
    unpacked = _unpack_packages(folder)
    gopath = unpacked / "usr/share/gocode"
    _add_embedded(gopath / "src" / IMPORTED / "verify/trust")
    done = go_build(f"{IMPORTED}/verify", folder, gopath)
    if done.returncode:
        pytest.skip(f"the Go that is installed does not compile sid's go-sev-guest: {done.stderr}")
    done = go_build(SOURCES, folder, gopath)
    assert done.returncode == 0, done.stderr
    return GoProgram(folder / "program")


def _unpack_packages(folder: Path) -> Path:
    """The folder with what is in the packages."""
    if not all(map(shutil.which, ("apt-get", "dpkg-deb"))) or not KEYRING.is_file():
        unavailable("go-sev-guest is a package of Debian, and this is another system")
    mirror, release = _mirror()
    entries = [f"deb [signed-by={KEYRING}] {mirror} {suite} main\n" for suite in (release, "sid")]
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
    wanted = [f"{name}/sid" for name in FROM_SID] + [f"{name}/{release}" for name in FROM_RELEASE]
    for command in ([*apt, "update"], [*apt, "download", *wanted]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            unavailable(f"go-sev-guest cannot be downloaded from Debian sid: {done.stderr}")
    shutil.rmtree(folder / "state")  # 40 MB
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", package, folder / "unpacked"], check=True)
    return folder / "unpacked"


def _mirror() -> tuple[str, str]:
    """The mirror from which this system gets Debian, and the name of its release."""
    uris = subprocess.run(["apt-get", "update", "--print-uris"], capture_output=True, text=True).stdout
    found = re.search(r"'(\S+/debian)/dists/([a-z]+)/InRelease'", uris)
    if found is None:
        unavailable("apt has no mirror of Debian")
    return found[1], found[2]


def _add_embedded(folder: Path) -> None:
    """The certificates that go-sev-guest embeds, which Debian's package 0.15.0 lacks: those of the tests."""
    for product in ("milan", "genoa", "turin"):
        made = chain(product=product.capitalize())
        for kind in ("", "_vcek", "_vlek"):
            (folder / f"ask_ark_{product}{kind}.pem").write_bytes(pem(made.ask.der) + pem(made.ark.der))
