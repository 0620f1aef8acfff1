"""The figures that `make bench BASE=COMMIT` compares: commands, builds, lookups in process, and the service.

Rooms and modules move from version to version, so only the command line and `from catalog import Release` are used.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tools.bench.builds import large_spec
from tools.bench.load import Load, loads, rate, report

FIRMWARE = "sid/ovmf-amdsev/OVMF.amdsev.fd"
CONFIGURATION = ["--technology", "sev-snp", "--vmm", "qemu-kvm-init2", "--vcpu-type", "EPYC-Milan"]
DEFINED_KERNELS = 5_000
SAMPLED_DIGESTS = 20_000
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


@dataclass(frozen=True)
class Version:
    """An installed version of ldcat. folder: of the catalogs, logs and state that this version itself makes."""

    name: str
    python: Path
    folder: Path

    def command(self, *arguments: object) -> list[str]:
        """Arguments of a process that runs the command `ldcat`."""
        return [str(self.python.with_name("ldcat")), *map(str, arguments)]

    def run(self, *arguments: object, code: int = 0, state: str = "state") -> bytes:
        """Stdout of an ldcat command. Raises SystemExit if it ends with another exit code than `code`."""
        return finished(self.command(*arguments), self.environment(state), code)

    def environment(self, state: str = "state") -> dict[str, str]:
        """Of its processes: nothing that the caller has set for ldcat, and XDG folders below `folder`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LDCAT_", "PYTHON", "XDG_"))}
        homes = {f"XDG_{kind.upper()}_HOME": str(self.folder / kind) for kind in ("cache", "config", "data")}
        return kept | homes | {"XDG_STATE_HOME": str(self.folder / state)}


@dataclass(frozen=True)
class Figure:
    """unit: "ms", where less is better, or something a second.

    sample: takes the figure of a version once.
    least: samples of a version in a round, at least: more for what disk or network make uneven.
    """

    name: str
    group: str
    unit: str
    sample: Callable[[Version], float]
    least: int = 1


@dataclass(frozen=True)
class Inputs:
    """What both versions are given.

    folder: of specs, a report and lists of digests.
    digest: in every catalog.
    rare: in no catalog, but `explain` finds its inputs.
    """

    folder: Path
    digest: str
    rare: str
    absent: str = "0" * 96


def made_inputs(folder: Path, base: Version, rows: int) -> Inputs:
    """rows: about so many in the large catalog."""
    specs = {
        "large": large_spec(rows),
        "sev-snp": large_spec(rows),
        "sev-es": large_spec(rows // 5, "sev-es"),
        "sev": _sev_spec(),
        "old": large_spec(rows // 20),
        "new": large_spec(rows // 20, feature=2),
    }
    folder.mkdir()
    for name, spec in specs.items():
        (folder / f"{name}.toml").write_text(spec)
    digest = base.run("measure", FIRMWARE, *CONFIGURATION, "--vcpus", 4, "-f", "hex", "-q").decode().strip()
    rare = [*CONFIGURATION, "--vcpus", 1000, "--sev-features", "0x239"]
    found = base.run("measure", FIRMWARE, *rare, "-f", "hex", "-q").decode().strip()
    (folder / "report.bin").write_bytes(report(bytes.fromhex(digest)))
    return Inputs(folder, digest, found)


def prepare(version: Version, inputs: Inputs) -> None:
    """Build, publish and prove with this version what its figures read; verify the log once."""
    version.folder.mkdir()
    at = version.folder
    version.run("build", "-o", at / "default", "-q")
    for name in ("large", "old", "new"):
        version.run("build", inputs.folder / f"{name}.toml", "-o", at / name, "-q")
    log = version.run("keygen", "example.com/bench", "--algorithm", "ed25519", "-o", at / "key").decode().split()[-1]
    root = version.run("keygen", "root.example", "--for", "root", "-o", at / "root-key").decode().split()[-1]
    (at / "policy").write_text(f"log {log}\nquorum none\n")
    text = version.run("trust", "init", "--policy", at / "policy", "--root", f"a={root}", "--threshold", 1)
    (at / "text").write_bytes(text)
    (at / "trust").write_bytes(version.run("trust", "sign", at / "text", "--key", at / "root-key"))
    version.run("publish", at / "default", "--log", at / "log", "--key", at / "key", "-q")
    (at / "proof").write_bytes(version.run("prove", inputs.digest, "--log", at / "log", "-q"))


def sample_digests(version: Version, inputs: Inputs) -> None:
    """Write random digests of the default and the large catalog for both versions."""
    sample = f"USING SAMPLE {SAMPLED_DIGESTS} ROWS"
    query = f"SELECT launch_digest FROM launch_digests WHERE technology = 'sev-snp' {sample}"  # noqa: S608
    for name in ("default", "large"):
        sampled = version.run("sql", query, "--catalog", version.folder / name, "-f", "csv").decode().split()[1:]
        random.Random(1).shuffle(sampled)
        (inputs.folder / name).write_text("\n".join(sampled))


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
        Figure("Release.lookup", "lookup", "lookups/s", partial(_api, inputs, "default")),
        Figure("... in the large catalog", "lookup", "lookups/s", partial(_api, inputs, "large")),
        Figure("ldcat build", "build", "rows/s", partial(_build, None)),
        *(
            Figure(f"... of many {name} rows", "build", "rows/s", partial(_build, inputs.folder / f"{name}.toml"))
            for name in ("sev-snp", "sev-es", "sev")
        ),
        Figure("ldcat publish", "build", "rows/s", _publish, least=3),
        *(
            Figure(f"ldcat serve: {load.name}", "service", load.unit, partial(_serve, load), least=3)
            for load in loads(served)
        ),
        _command("other", "ldcat --version", "--version"),
        _command("other", "ldcat measure", "measure", FIRMWARE, *CONFIGURATION, "--vcpus", "4"),
        _command("other", "ldcat inspect", "inspect", FIRMWARE),
        _command("other", "ldcat explain", "explain", digest, *default),
        _command("other", "... of one that differs on three axes", *differing),
        _command("other", "ldcat prove", "prove", digest, "--log", "{}/log"),
        _command("other", "ldcat verify-proof", "verify-proof", "{}/proof", "--trust", "{}/trust"),
        _command("other", "ldcat diff", "diff", "{}/old", "{}/new", "-q", code=1),
        _command("other", "ldcat audit --remeasure 1000", "audit", "{}/default", "--remeasure", "1000", "-q"),
        Figure("python -c pass, the same for both", "other", "ms", _nothing),
    ]


def finished(command: list[str], environment: dict[str, str] | None = None, code: int = 0) -> bytes:
    """Stdout of a command. Raises SystemExit if it ends with another exit code than `code`."""
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    if done.returncode != code:
        raise SystemExit(f"bench: {' '.join(command)} ended with {done.returncode}: {done.stderr.decode()}")
    return done.stdout


def _command(group: str, name: str, *arguments: str, code: int = 0) -> Figure:
    """Milliseconds of a command. {} in an argument: the folder of the version."""

    def sample(version: Version) -> float:
        given = [argument.replace("{}", str(version.folder)) for argument in arguments]
        return 1000 * _seconds(partial(version.run, *given, code=code))

    return Figure(name, group, "ms", sample)


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


def _publish(version: Version) -> float:
    """The default catalog, as the first release of a log."""
    at, out = version.folder, version.folder / "published"
    arguments = ["publish", at / "default", "--log", out / "log", "--key", at / "key", "-q"]
    out.mkdir()
    seconds = _seconds(partial(version.run, *arguments, state="published/state"))
    shutil.rmtree(out)
    return _rows(at / "default") / seconds


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


def _sev_spec() -> str:
    """SEV measures firmware and kernel hashes alone, so that many rows need many kernels."""
    kernels = (
        f'[[kernel_hashes.define]]\nname = "kernel-{n}"\nkernel_sha256 = "{n:064x}"\ninitrd_sha256 = "{n:064x}"\n'
        for n in range(DEFINED_KERNELS)
    )
    builds = 'name = "large"\nfirmware = { builds = ["*"] }\n[kernel_hashes]\ntables = ["none"]\n'
    return f"{builds}{''.join(kernels)}[technologies.sev]\n"


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
