"""Folders to run commands in: catalogs, a log, keys and what is remembered, made once and copied for each fault."""

from __future__ import annotations

import functools
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep

from catalog.publish.witness_store import WitnessStore
from catalog.transparency.note import Note
from tests.support.samples import SMALL, write_inputs, write_spec
from tools.faults.runner import Outcome, Place, Task, run, start

ORIGIN = "example.com/log"
FEWER = SMALL.split("[technologies.sev-es]")[0]

_FOREVER = 24 * 3600
_PAUSE = 0.01


class Failed(Exception):
    """A command that has no fault did not do what it does."""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *said: object) -> None:
        pass


@dataclass(frozen=True)
class Workshop:
    """place: where the commands run. digest: in every catalog. url: of a host, with the log and a fork of it."""

    place: Place
    digest: str
    url: str

    def restore(self, stage: str) -> None:
        """The folder is as it was at that stage."""
        shutil.rmtree(self.place.root, ignore_errors=True)
        shutil.copytree(self.place.aside / stage, self.place.root, symlinks=True)


@contextmanager
def workshop(base: Path) -> Iterator[Workshop]:
    """Every stage is made in a new folder; the host and the witness are there as long as it is used."""
    place = Place(base / "run", base / "aside")
    for folder in (place.root / "tmp", place.aside / "served", place.aside / "witness"):
        folder.mkdir(parents=True)
    keys = {"log": _keygen(place, "log.key", ORIGIN), "me": _keygen(place, "me.key", "me.example", "witness")}
    keys["asked"] = _keygen(place, str(place.aside / "witness/key"), "asked.example", "witness")
    with _host(place.aside / "served") as url, _witness(place, keys["log"]) as address:
        yield Workshop(place, _stages(place, keys, url, address), url)


def done(task: Task, place: Place, code: int = 0) -> Outcome:
    """A command that ends with that exit code; raises Failed."""
    outcome = run(task, place)
    if outcome.code != code:
        raise Failed(f"{task}: exit code {outcome.code}: {outcome.err}")
    return outcome


def _keygen(place: Place, path: str, name: str, role: str = "log") -> str:
    """Its verifier key."""
    return done(("keygen", name, "-o", path, "--for", role, "--algorithm", "ed25519"), place).out.strip()


def _stages(place: Place, keys: Mapping[str, str], url: str, witness: str) -> str:
    """Each goes on from the one before, unless it says another; gives a digest."""
    root = place.root

    def keep(name: str) -> None:
        shutil.copytree(root, place.aside / name, symlinks=True)

    def back(name: str) -> None:
        shutil.rmtree(root)
        shutil.copytree(place.aside / name, root, symlinks=True)

    def ldcat(*arguments: str) -> str:
        return done(arguments, place).out

    write_inputs(root / "inputs")
    write_spec(root / "inputs", SMALL, "small.toml")
    write_spec(root / "inputs", FEWER, "fewer.toml")
    top = _keygen(place, "root.key", "root.example", "root")
    policy = f"log {keys['log']}\nwitness me {keys['me']}\nwitness asked {keys['asked']} {witness}\n"
    for name, quorum in (("trust", "none"), ("asked", "asked")):
        (root / f"{name}.policy").write_text(f"{policy}quorum {quorum}\n")
        arguments = ("--policy", f"{name}.policy", "--root", f"top={top}", "--threshold", "1", "--max-age", "30")
        (root / f"{name}.txt").write_text(ldcat("trust", "init", *arguments))
        (root / f"{name}.note").write_text(ldcat("trust", "sign", f"{name}.txt", "--key", "root.key"))
    (root / "logs").write_text(f"log {keys['log']}\nquorum none\n")
    (root / "stdout").unlink()
    keep("inputs")
    ldcat("build", "inputs/fewer.toml", "-o", "fewer", "-q")
    keep("built")
    ldcat("build", "inputs/small.toml", "-o", "catalog", "-q")
    query = "SELECT lower(hex(launch_digest)) FROM launch_digests ORDER BY ALL LIMIT 1"
    digest = ldcat("sql", query, "--catalog", "fewer", "-f", "csv").split()[-1]
    keep("both")
    ldcat("publish", "catalog", "--log", "log", "--key", "log.key")
    shutil.copytree(root / "log", place.aside / "served/fork")
    back("both")
    ldcat("publish", "fewer", "--log", "log", "--key", "log.key")
    shutil.copytree(root / "log", place.aside / "served/log")
    (root / "proof").write_text(ldcat("prove", digest, "--catalog", "log"))
    keep("published")
    ldcat("monitor", f"{url}/log", "--trust", "trust.note")
    keep("watched")
    back("published")
    ldcat("cosign", "--log", "log", "--key", "me.key", "--trust", "trust.note")
    keep("cosigned")
    back("published")
    ldcat("site", "log", "-o", "site", "--trust", "trust.note", "-q")
    ldcat("lookup", digest, "--catalog", "log", "--trust", "trust.note")
    for size in range(1, 9):
        (root / f"log/pack/{size}").touch()  # of earlier releases, so that the next one removes two
    keep("seen")
    ldcat("publish", "catalog", "--log", "log", "--key", "log.key")
    keep("grown")
    shutil.copy(place.aside / "seen/log/checkpoint", root / "before")
    store = WitnessStore.create(root / "db")
    store.advance(None, Note.parse((root / "before").read_bytes()))
    keep("witnessed")
    return digest


@contextmanager
def _host(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    child = os.fork()
    if not child:
        server.serve_forever()
    server.server_close()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        _end(child)


@contextmanager
def _witness(place: Place, log: str) -> Iterator[str]:
    """One that cosigns what it is asked, at the time of everything else; gives its address."""
    own = place.aside / "witness"
    (own / "logs").write_text(f"log {log}\nquorum none\n")
    files = ("--key", f"{own}/key", "--logs", f"{own}/logs", "--db", f"{own}/db")
    arguments = ("witness", "serve", "--create", "--listen", "127.0.0.1:0", *files)
    child = start(arguments, place, own / "out", own / "err", {}, hangs=_FOREVER)
    try:
        while not (said := (own / "err").read_text() if (own / "err").exists() else "").endswith("\n"):
            sleep(_PAUSE)
        yield said.split()[-1]
    finally:
        _end(child)


def _end(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
