"""The figures that `make bench BASE=COMMIT` compares: commands, builds, lookups in process, and the service.

Rooms and modules move from version to version, so only the command line and `from catalog import Release` are used.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tests.support.hosts import static_host
from tools.bench.inputs import CONFIGURATION, FIRMWARE, Inputs
from tools.bench.load import Load, loads, rate
from tools.bench.versions import Version, finished

LOOKUPS_OF_THE_API = """
import sys, time
from catalog import Release
digests = open(sys.argv[2]).read().split()
half = len(digests) // 2
with Release.open(sys.argv[1]) as release:
    for digest in digests[:half]:
        release.lookup(digest)
    started = time.perf_counter()
    for digest in digests[half:]:
        assert release.lookup(digest)
    print(half / (time.perf_counter() - started))
"""

LOOKUP_AT_A_HOST = """
import sys
from catalog import Release
with Release.open(sys.argv[1], sys.argv[2]) as release:
    assert release.lookup(sys.argv[3])
"""

_EXPORT = ["export", "--to", "rvps-file", "--vmm", "qemu-kvm-init2", "--vcpus", "1-64", "--no-kernel", "--unpublished"]


@dataclass(frozen=True)
class Figure:
    """unit: "ms", where less is better, or something a second.

    sample: takes the figure of a version once.
    least: samples of a version in a round, at least: more for what disk, network or other programs make uneven.
    needs: a command that both versions must have, else the figure is left out; "" for one that each version has.
    """

    name: str
    group: str
    unit: str
    sample: Callable[[Version], float]
    least: int = 1
    needs: str = ""


def figures(inputs: Inputs) -> list[Figure]:
    """Every figure, those that a limit holds for first."""
    digest = inputs.digest
    served = (inputs.folder / "default").read_text().split()
    default = ["--catalog", "{}/default"]
    expected = {"technology": "sev-snp", "firmware": FIRMWARE, "vmm": "qemu-kvm-init2", "vcpus": 4, "vcpu_type": "EPYC"}
    differing = ["explain", inputs.rare, "--expect", json.dumps(expected), *default, "-q"]
    return [
        _command("lookup", "ldcat lookup DIGEST", "lookup", digest, *default),
        _command("lookup", "... in the large catalog", "lookup", _first(inputs, "large"), "--catalog", "{}/large"),
        _command("lookup", "... not found", "lookup", inputs.absent, *default, code=1),
        _command("lookup", "... -f json", "lookup", digest, *default, "-f", "json"),
        _command("lookup", "... of a verified release", "lookup", digest, "--catalog", "{}/log", "--trust", "{}/trust"),
        _command("lookup", "ldcat lookup report.bin", "lookup", str(inputs.folder / "report.bin"), *default),
        Figure("Release.lookup", "lookup", "lookups/s", partial(_api, inputs, "default"), least=5),
        Figure("... in the large catalog", "lookup", "lookups/s", partial(_api, inputs, "large"), least=5),
        Figure("... at a host of static files", "lookup", "lookups/s", partial(_hosted, digest), least=3),
        Figure("ldcat build", "build", "rows/s", partial(_build, None)),
        *(
            Figure(f"... of many {name} rows", "build", "rows/s", partial(_build, inputs.folder / f"{name}.toml"))
            for name in ("sev-snp", "sev-es", "sev")
        ),
        Figure("ldcat publish", "build", "rows/s", partial(_publish, "default"), least=3),
        Figure("... of many sev-snp rows", "build", "rows/s", partial(_publish, "old"), least=3),
        *(
            Figure(f"ldcat serve: {load.name}", "service", load.unit, partial(_serve, load), least=3)
            for load in loads(served)
        ),
        _command("other", "ldcat --version", "--version"),
        _command("other", "ldcat lookup --help", "lookup", "--help"),
        _command("other", "ldcat measure", "measure", FIRMWARE, *CONFIGURATION, "--vcpus", "4"),
        _command("other", "ldcat inspect", "inspect", FIRMWARE),
        _command("other", "ldcat explain", "explain", digest, *default),
        _command("other", "... of one that differs on three axes", *differing),
        _command("other", "... of one under SEV-ES", "explain", inputs.rare_es, *default, "-q"),
        _command("other", "ldcat prove", "prove", digest, "--log", "{}/log"),
        _command("other", "ldcat verify-proof", "verify-proof", "{}/proof", "--trust", "{}/trust"),
        _command("other", "ldcat diff", "diff", "{}/old", "{}/new", "-q", code=1),
        _command("other", "ldcat audit --remeasure 1000", "audit", "{}/default", "--remeasure", "1000", "-q"),
        _command("other", "... --remeasure all, many sev-snp rows", "audit", "{}/old", "--remeasure", "all", "-q"),
        Figure("ldcat rebuild", "other", "ms", _rebuild),
        replace(_command("other", "ldcat export", *_EXPORT, *default, "-o", "{}/exported", "-q"), needs="export"),
        Figure("python -c pass, the same for both", "control", "ms", _nothing),
    ]


def _command(group: str, name: str, *arguments: str, code: int = 0) -> Figure:
    """Milliseconds of a command. {} in an argument: the folder of the version."""

    def sample(version: Version) -> float:
        given = [argument.replace("{}", str(version.folder)) for argument in arguments]
        return 1000 * _seconds(partial(version.run, *given, code=code))

    return Figure(name, group, "ms", sample)


def _rebuild(version: Version) -> float:
    """Milliseconds of the command. All versions take the log from the environment, and some from an option only."""
    environment = version.environment() | {"LDCAT_LOG": str(version.folder / "log")}
    command = version.command("rebuild", "--trust", version.folder / "trust", "-q")
    return 1000 * _seconds(partial(finished, command, environment))


def _nothing(version: Version) -> float:
    """How much two equal things differ, on this machine and now."""
    return 1000 * _seconds(partial(finished, [str(version.python), "-c", "pass"], version.environment()))


def _api(inputs: Inputs, catalog: str, version: Version) -> float:
    arguments = [LOOKUPS_OF_THE_API, str(version.folder / catalog), str(inputs.folder / catalog)]
    return float(finished([str(version.python), "-c", *arguments], version.environment()))


def _build(spec: Path | None, version: Version) -> float:
    """spec: None for the default catalog."""
    out = version.folder / "built"
    arguments = ["build", *([spec] if spec else []), "-o", out, "-q"]
    seconds = _seconds(partial(version.run, *arguments))
    rows = _rows(out)
    shutil.rmtree(out)
    return rows / seconds


def _hosted(digest: str, version: Version) -> float:
    """A Release at a host, opened and asked once, in a process of its own."""
    with static_host(version.folder / "site") as host:
        command = [str(version.python), "-c", LOOKUP_AT_A_HOST, host.url, str(version.folder / "trust"), digest]
        return 1 / _seconds(partial(finished, command, version.environment()))


def _publish(catalog: str, version: Version) -> float:
    """A catalog, as the first release of a log."""
    at, out = version.folder, version.folder / "published"
    arguments = ["publish", at / catalog, "--log", out / "log", "--key", at / "key", "-q"]
    out.mkdir()
    seconds = _seconds(partial(version.run, *arguments, state="published/state"))
    shutil.rmtree(out)
    return _rows(at / catalog) / seconds


def _serve(load: Load, version: Version) -> float:
    """Of the published log."""
    at = version.folder
    command = version.command("serve", at / "log", "--trust", at / "trust")
    return rate(load, command, version.environment(), at / "serve.log")


def _rows(catalog: Path) -> int:
    technologies = json.loads((catalog / "manifest.json").read_bytes())["technologies"]
    return sum(technology["rows"] for technology in technologies.values())


def _first(inputs: Inputs, catalog: str) -> str:
    return (inputs.folder / catalog).read_text().split()[0]


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
