"""Measure what the README says, in one run, and write docs/benchmarks.md: `make bench`."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sevsnpmeasure import guest, vcpu_types, vmm_types
from sevsnpmeasure.sev_mode import SevMode

from catalog.abi import sha256
from catalog.abi.vcpu import VcpuSignature
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import OvmfImage, Section, SectionType
from catalog.launch.point import VcpuPoint
from catalog.launch.technology import measure_all, technologies
from catalog.release import embedded
from tests.firmware_builder import build_ovmf

REPORT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
PAGES = 1024
VCPUS = range(1, 256)


def main() -> None:
    """Run every measurement and write the report."""
    with tempfile.TemporaryDirectory() as work:
        builds = [_build(Path(work) / f"catalog-{n}", processes=n) for n in sorted({1, os.cpu_count() or 1})]
        lookup = _lookup(Path(work) / "catalog-1")
        rates = _rates(Path(work))
    text = _report(builds, lookup, rates)
    REPORT.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def _build(folder: Path, *, processes: int) -> dict[str, float]:
    """Seconds, rows, bytes and peak memory of one build of the default catalog as its own process."""
    command = [sys.executable, "-m", "catalog", "build", "-o", str(folder), "--processes", str(processes), "--quiet"]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _resident(process.pid))
        time.sleep(0.02)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(process.returncode)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    return {
        "processes": processes,
        "seconds": seconds,
        "peak": peak,
        "rows": sum(technology["rows"] for technology in manifest["technologies"].values()),
        "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    }


def _resident(root: int) -> int:
    """Bytes of memory that a process and all its descendants hold now, pages they share counted each time."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = int(path.parent.name), path.read_text().rpartition(")")[2].split()
        except OSError:  # ended meanwhile
            continue
        parents.setdefault(int(rest[1]), []).append(pid)
    pids, total = [root], 0
    while pids:
        pid = pids.pop()
        pids += parents.get(pid, [])
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            continue
    return total


def _lookup(folder: Path) -> dict[str, float]:
    """Median seconds of a lookup as its own process, and of the same interpreter doing nothing."""
    query = "SELECT launch_digest FROM configurations WHERE technology = 'sev-snp' LIMIT 1"
    sql = [sys.executable, "-m", "catalog", "sql", query, "--catalog", str(folder), "--format", "json"]
    digest = json.loads(subprocess.run(sql, check=True, capture_output=True).stdout)[0]["launch_digest"]
    lookup = [sys.executable, "-m", "catalog", "lookup", digest, "--catalog", str(folder)]
    return {"lookup": _median(lookup), "nothing": _median([sys.executable, "-c", "pass"])}


def _median(command: list[str]) -> float:
    times = []
    for _ in range(7):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return sorted(times)[len(times) // 2]


def _rates(work: Path) -> dict[str, tuple[float, float]]:
    """Launch digests a second in process, ours and sev-snp-measure's, on one image of 4 MiB."""
    image = work / "image.fd"
    sections = (
        Section(0x800000, 0x9000, SectionType.SNP_SEC_MEM),
        Section(0x80D000, 0x1000, SectionType.SNP_SECRETS),
        Section(0x80E000, 0x1000, SectionType.CPUID),
        Section(0x811000, 0x1F000, SectionType.SNP_SEC_MEM),
    )
    image.write_bytes(build_ovmf(pages=PAGES, reset_vector=0x80B004, sections=sections))
    component = FirmwareComponent.from_image(OvmfImage.parse(image.read_bytes()))
    signature = vcpu_types.CPU_SIGS["EPYC-v4"]
    profile = embedded.profile_named("qemu-kvm-init2")

    def ours(name: str) -> int:
        technology = technologies()[name]
        features = technology.default_sev_features or 0
        points = (VcpuPoint(None, profile, VcpuSignature(signature), features, n) for n in VCPUS)
        return sum(1 for _ in measure_all(technology, component, points))

    def theirs(mode: SevMode) -> int:
        features = 1 if mode is SevMode.SEV_SNP else 0
        vmm = vmm_types.VMMType.QEMU
        guest.calc_launch_digest(mode, 4, signature, str(image), "", "", "", features, vmm_type=vmm)
        return 1

    return {
        "sev-es": (_rate(lambda: ours("sev-es")), _rate(lambda: theirs(SevMode.SEV_ES))),
        "sev-snp": (_rate(lambda: ours("sev-snp")), _rate(lambda: theirs(SevMode.SEV_SNP))),
    }


def _rate(work: Callable[[], int]) -> float:
    """Digests a second, over about two seconds after one round to warm up."""
    work()
    made, started = 0, time.perf_counter()
    while (passed := time.perf_counter() - started) < 2:
        made += work()
    return made / passed


def _report(builds: list[dict[str, float]], lookup: dict[str, float], rates: dict[str, tuple[float, float]]) -> str:
    mib = 1 << 20
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`, all in one run: compare figures with each other, not with other machines'.",
        "",
        f"Python {platform.python_version()}, {os.cpu_count()} processors, SHA-256 midstates: {sha256.in_use}.",
        "",
        "## The default catalog",
        "",
        "| processes | rows | seconds | rows/s | peak memory of all processes | size |",
        "|---|---|---|---|---|---|",
        *(
            f"| {b['processes']:.0f} | {b['rows']:,.0f} | {b['seconds']:.1f} | {b['rows'] / b['seconds']:,.0f} "
            f"| {b['peak'] / mib:.0f} MiB | {b['bytes'] / mib:.1f} MiB |"
            for b in builds
        ),
        "",
        "## A lookup, as a command of its own",
        "",
        "| command | median seconds |",
        "|---|---|",
        f"| `ldcat lookup DIGEST` | {lookup['lookup']:.3f} |",
        f"| `python -c pass` | {lookup['nothing']:.3f} |",
        "",
        "## Digests a second in process, one thread",
        "",
        f"One image of {PAGES} pages; ldcat from its component, 1 to {len(VCPUS)} vCPUs;",
        "sev-snp-measure 0.0.13 from the file, 4 vCPUs. ldcat takes one step a digest, from the vCPU count before;",
        "sev-snp-measure reads and hashes the image for each.",
        "",
        "| technology | ldcat | sev-snp-measure | ratio |",
        "|---|---|---|---|",
        *(f"| {name} | {us:,.0f} | {them:,.0f} | {us / them:,.0f} |" for name, (us, them) in rates.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
