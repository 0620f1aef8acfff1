"""Every check of the rooms that verify has a test that fails without it: `make mutants`, or a sample of them.

Each mutant is put in place in a copy of the tree, never in the checkout, and the tests of its room are run on it by a
process of their own. A mutant that they do not notice has to be listed in mutants.toml as equivalent, with the reason.
"""

from __future__ import annotations

import argparse
import compileall
import os
import py_compile
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tools.mutation import Mutant, mutants

ROOT = Path(__file__).parent.parent
LISTED = Path(__file__).with_suffix(".toml")
COPIED = ("bin", "catalog", "data", "tests", "docs", "pyproject.toml", "README.md")
ROOMS = {
    "catalog/endorse/certificate.py": ("tests/endorse/test_certificate.py", "tests/endorse/test_certificates.py"),
    "catalog/endorse/crl_findings.py": ("tests/endorse/test_crl.py",),
    "catalog/endorse/endorsement.py": (
        "tests/endorse/test_endorsement.py",
        "tests/endorse/test_endorsement_chain.py",
        "tests/endorse/test_crl.py",
    ),
    "catalog/endorse/platform_findings.py": ("tests/endorse/test_endorsement.py",),
    "catalog/endorse/report_checks.py": ("tests/endorse/test_report_checks.py",),
    "catalog/imports/chains.py": ("tests/imports/test_signed_documents.py",),
    "catalog/imports/cose_sign1.py": ("tests/imports/test_signed_documents.py", "tests/imports/test_cbor.py"),
    "catalog/prove/older_proof.py": ("tests/prove/test_older_proof.py",),
    "catalog/prove/verdict.py": ("tests/prove/test_verify_bundle.py", "tests/prove/test_prove.py"),
    "catalog/prove/verify_proof.py": (
        "tests/prove/test_verify_bundle.py",
        "tests/prove/test_older_proof.py",
        "tests/prove/test_prove.py",
        "tests/prove/test_endorsed_bundles.py",
    ),
    "catalog/verify/releases_of_log.py": ("tests/verify/test_release_checks.py", "tests/verify/test_verify_release.py"),
    "catalog/verify/verify_release.py": ("tests/verify/test_release_checks.py", "tests/verify/test_verify_release.py"),
}
"""Rooms, and the tests that are run on each, the fastest first."""

LEAST = 4
"""Mutants of a sample at least, on a machine that is too slow for its seconds."""

HANGS = 300
"""Seconds after which a mutant is taken for one that never ends."""


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A mutant that does what the module does, and why."""

    room: str
    key: tuple[str, str, str]
    why: str


def listed() -> list[Equivalent]:
    """Those of mutants.toml."""
    found = tomllib.loads(LISTED.read_text(encoding="utf-8")).get("equivalent", [])
    return [Equivalent(one["room"], (one["where"], one["line"], one["change"]), one["why"]) for one in found]


def main() -> None:
    """Exit code 1 where a mutant survives that is not listed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, metavar="SEED", help="mutants in an order of that seed, and not all")
    parser.add_argument(
        "--seconds", type=int, default=60, help="for a sample, until no other mutant is begun, after a few"
    )
    parser.add_argument("--room", choices=[*ROOMS], action="append", help="this one alone")
    asked = parser.parse_args()
    begun = time.monotonic()
    known = {(one.room, one.key) for one in listed()}
    every = [(room, one) for room in asked.room or ROOMS for one in mutants((ROOT / room).read_text(encoding="utf-8"))]
    names = {(room, one.key) for room, one in every}
    stale = [one for one in listed() if one.room in (asked.room or ROOMS) and (one.room, one.key) not in names]
    wanted = [(room, one) for room, one in every if (room, one.key) not in known]
    end = None
    if asked.sample is not None:
        random.Random(asked.sample).shuffle(wanted)  # noqa: S311 - a sample
        end = begun + asked.seconds
        print(f"seed {asked.sample}, for {asked.seconds} seconds")
    survived, killed = [], 0
    for (room, one), noticed in _run(wanted, end):
        if noticed:
            killed += 1
        else:
            survived.append((room, one))
            print(_told("survived", room, one.key), flush=True)
    print(
        f"{len(wanted)} mutants, and {len(known)} equivalents; {killed + len(survived)} were run: {killed} killed, "
        f"{len(survived)} survived, in {time.monotonic() - begun:.0f} seconds"
    )
    for gone in stale:
        print(_told("listed, and there is no such mutant", gone.room, gone.key))
    if not killed:
        raise SystemExit("no mutant was run")
    raise SystemExit(1 if survived or stale else 0)


def _told(what: str, room: str, key: tuple[str, str, str]) -> str:
    where, line, change = key
    return (
        f'{what}:\n[[equivalent]]\nroom = "{room}"\nwhere = {where!r}\nline = {line!r}\nchange = {change!r}\nwhy = ""'
    )


def _run(wanted: Sequence[tuple[str, Mutant]], end: float | None) -> Iterator[tuple[tuple[str, Mutant], bool]]:
    """Each mutant, and whether its tests noticed it. end: when no other one is begun; LEAST are, however slow it is."""
    with tempfile.TemporaryDirectory(prefix="ldcat-mutants-") as folder:
        workers = os.cpu_count() or 1
        context = get_context("spawn")
        with ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(folder,)) as pool:
            unchanged: dict[str, Future[str]] = {}  # of the rooms of these mutants: a sample has no need of the others
            waiting: dict[Future[bool], tuple[str, Mutant]] = {}
            rest, begun = iter(wanted), 0
            while True:
                while (
                    len(waiting) < workers
                    and not (end and begun >= LEAST and time.monotonic() > end)
                    and (one := next(rest, None))
                ):
                    begun += 1
                    if one[0] not in unchanged:
                        unchanged[one[0]] = pool.submit(_failures, one[0])
                    waiting[pool.submit(_noticed, one[0], one[1].source)] = one
                if not waiting:
                    return
                for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                    room, _ = one = waiting.pop(done)
                    if said := unchanged[room].result():
                        raise SystemExit(f"the tests of {room} fail without any change:\n{said}")
                    yield one, done.result()


def _begin(folder: str) -> None:
    """A copy of the tree for this process, and loaded what tests need of others: a child has it at once."""
    place = Path(folder) / str(os.getpid())
    place.mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, place / name)
    os.chdir(place)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # of plugins that these tests have no use for
    sys.path[:] = [str(place), *(one for one in sys.path if Path(one or ".").resolve() != ROOT)]
    sys.dont_write_bytecode = False
    checked = py_compile.PycInvalidationMode.CHECKED_HASH  # a mutant may be as long as the one before, in one second
    compileall.compile_dir(place / "catalog", quiet=1, invalidation_mode=checked)
    for name in ("cryptography.x509", "duckdb", "msgspec", "pyarrow.parquet", "pytest", "typer"):
        __import__(name)


def _failures(room: str) -> str:
    """What the tests of a room say where they fail without any change, else nothing."""
    return Path("said").read_text() if _noticed(room, (ROOT / room).read_text(encoding="utf-8")) else ""


def _noticed(room: str, source: str) -> bool:
    """Whether a test of the room fails with this in its place."""
    place, before = Path(room), (ROOT / room).read_text(encoding="utf-8")
    place.write_text(source, encoding="utf-8")
    child = os.fork()
    if child == 0:
        _test(ROOMS[room])
    try:
        return _exit_code(child) != 0
    finally:
        place.write_text(before, encoding="utf-8")


def _test(names: Iterable[str]) -> None:
    """In a child: run tests, and end."""
    code = 70
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for stream in (1, 2):
            os.dup2(said, stream)
        import pytest

        own = "--basetemp=tests-of-a-mutant"  # else each removes the files of older tests, which may be very many
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", own, *names])
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)


def _exit_code(child: int) -> int:
    """Of a process that is given time, but not for ever."""
    end = time.monotonic() + HANGS
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -signal.SIGKILL
        time.sleep(0.02)


if __name__ == "__main__":
    main()
