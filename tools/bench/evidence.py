"""How long it takes to find a launch measurement among millions of digests, and to explain a digest: whole commands."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from catalog.abi.digest import LaunchDigest
from catalog.abi.launch_measure import MeasureContext, launch_measurement
from catalog.ask.measure import Workbench
from catalog.ask.measure_request import parse_request
from catalog.store.catalog import Catalog
from catalog.store.manifest import part_names
from tools.bench.catalogs import Catalogs

ROUNDS = 5
TIK, NONCE = bytes(range(16)), bytes(range(16, 32))
POLICY = 0x05
EXPECTED = {
    "technology": "sev-snp",
    "firmware": "sid/ovmf-amdsev/OVMF.amdsev.fd",
    "kernel_hashes": "debian-12-installer-text",
    "vmm": "qemu-kvm-init2",
    "vcpus": 4,
    "vcpu_type": "EPYC-Milan",
}


@dataclass(frozen=True)
class Found:
    """A command: candidates or digests that were tried, and the median of its seconds over a few rounds."""

    what: str
    tried: int
    seconds: float


def evidence_lines(catalogs: Catalogs) -> list[str]:
    """As Markdown."""
    return [
        "| whole command | digests tried | median s | digests a second, start included |",
        "|---|---|---|---|",
        *(
            f"| {c.what} | {c.tried:,} | {c.seconds:.2f} | {c.tried / c.seconds:,.0f} |"
            for c in _evidence(catalogs.default.folder, catalogs.sev_es.folder)
        ),
    ]


def _evidence(default: Path, measured: Path) -> list[Found]:
    """default: a catalog of the embedded default. measured: one of SEV-ES rows."""
    odd = {"vcpu_signature": 0xA10F11, "vcpu_type": None}
    rare = {"vcpus": 1000, "sev_features": 0x239}
    es = {"technology": "sev-es", "vmm": "qemu-kvm-legacy"}
    nowhere = "0" * 96
    expect = ["--expect", json.dumps(EXPECTED)]
    return [
        _launch_measurement(measured),
        _explain("one axis from the expectation: vCPUs", default, [_digest(vcpus=1000), *expect]),
        _explain("two: vCPU signature and kernel", default, [_digest(**odd, kernel_hashes=None), *expect]),
        _explain("one axis from the catalog: sev_features", default, [_digest(vcpus=99, sev_features=0x221)]),
        _explain("two: vCPUs and sev_features", default, [_digest(vcpus=1000, sev_features=0x221)]),
        _explain("two: vCPUs and vCPU signature", default, [_digest(vcpus=1000, **odd)]),
        _explain("two, SEV-ES: vCPUs and vCPU signature", default, [_digest(**es, vcpus=1000, **odd)]),
        _explain("three: vCPUs, sev_features and kernel", default, [_digest(**rare, kernel_hashes=None), *expect]),
        _explain("a miss of everything", default, [nowhere, "--budget", "3600"], rounds=1),
    ]


def _launch_measurement(folder: Path) -> Found:
    """A digest in the middle of the last part."""
    entry = Catalog.open(folder).manifest.technologies["sev-es"]
    column = pq.read_table(folder / part_names("sev-es", entry.parts)[-1])["launch_digest"]
    context = MeasureContext(1, 55, 40, POLICY, NONCE)
    measurement = launch_measurement(TIK, context, LaunchDigest(column[len(column) // 2].as_py()))
    (folder.with_suffix(".tik")).write_bytes(TIK)
    facts = ["--api-major", "1", "--api-minor", "55", "--build-id", "40", "--policy", str(POLICY)]
    arguments = [base64.b64encode(measurement + NONCE).decode(), "--tik", str(folder.with_suffix(".tik")), *facts]
    seconds, reply = _median(["lookup", *arguments, "--catalog", str(folder)], ROUNDS)
    assert reply["matches"], "a launch measurement of the catalog is found"  # noqa: S101
    return Found("a launch measurement among SEV-ES rows", entry.rows, seconds)


def _explain(what: str, folder: Path, arguments: list[str], rounds: int = ROUNDS) -> Found:
    seconds, reply = _median(["explain", *arguments, "--catalog", str(folder)], rounds)
    return Found(what, sum(search["candidates"] for search in reply["searched"]), seconds)


def _digest(**changes: object) -> str:
    return Workbench().measure(parse_request(json.dumps(EXPECTED | changes).encode())).digest.hex()


def _median(arguments: list[str], rounds: int) -> tuple[float, dict[str, list[dict[str, int]]]]:
    """Seconds of a command, and what it answers."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        command = [sys.executable, "-m", "catalog", *arguments, "--format", "json", "--quiet"]
        done = subprocess.run(command, check=False, capture_output=True)
        taken.append(time.perf_counter() - started)
        if done.returncode not in (0, 1):
            raise SystemExit(done.stderr.decode())
    return sorted(taken)[rounds // 2], json.loads(done.stdout)
