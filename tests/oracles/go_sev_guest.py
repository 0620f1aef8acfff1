"""google/go-sev-guest as a process: the program in go_sev_guest.

Debian's stable releases do not have it, so two packages are downloaded from sid, and the libraries that they need from
the release that is installed; all of them are unpacked in a folder of the test, with an apt configuration of its own.
The Go of that release compiles them; the test is skipped, even where oracles are required, if sid has a go-sev-guest
for which it has become too old.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracles.debian_sid import unpack_from_sid
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


@pytest.fixture(scope="session")
def go_sev_guest(tmp_path_factory: pytest.TempPathFactory) -> GoProgram:
    require({"golang-go": "go"})
    folder = tmp_path_factory.mktemp("go_sev_guest")
    if problem := unpack_from_sid(folder, FROM_SID, FROM_RELEASE):
        unavailable(problem)
    gopath = folder / "unpacked/usr/share/gocode"
    _add_embedded(gopath / "src" / IMPORTED / "verify/trust")
    done = go_build(f"{IMPORTED}/verify", folder, gopath)
    if done.returncode:
        pytest.skip(f"the Go that is installed does not compile sid's go-sev-guest: {done.stderr}")
    done = go_build(SOURCES, folder, gopath)
    assert done.returncode == 0, done.stderr
    return GoProgram(folder / "program")


def _add_embedded(folder: Path) -> None:
    """The certificates that go-sev-guest embeds, which Debian's package 0.15.0 lacks: those of the tests."""
    for product in ("milan", "genoa", "turin"):
        made = chain(product=product.capitalize())
        for kind in ("", "_vcek", "_vlek"):
            (folder / f"ask_ark_{product}{kind}.pem").write_bytes(pem(made.ask.der) + pem(made.ark.der))
