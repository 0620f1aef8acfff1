"""How long builds take, as commands of their own, and how much memory and room."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

TABLES = [
    "none",
    "debian-12-cloud-6.1.0-50",
    "debian-12-installer-text",
    "debian-13-cloud-6.12.107",
    "debian-13-installer-text",
]
CHUNK = 4096 * len(TABLES)
MIB = 1 << 20


@dataclass(frozen=True)
class Build:
    """One build. peak: bytes of memory of all its processes. parquet, index: bytes of all its files of that kind."""

    name: str
    folder: Path
    rows: int
    seconds: float
    peak: int
    parquet: int
    index: int


def default_build(folder: Path) -> Build:
    """The embedded default."""
    return _build("default", folder, [])


def built(folder: Path, rows: int, technology: str = "sev-snp") -> Build:
    """About so many rows: one build, four kernel hashes tables and none, 4096 vCPU counts, many VMSAs."""
    return built_of(folder, large_spec(rows, technology), f"large, {technology}")


def built_of(folder: Path, spec: str, name: str = "") -> Build:
    """The catalog of a spec, which is written beside it."""
    path = folder.with_suffix(".toml")
    path.write_text(spec)
    return _build(name, folder, [str(path)])


def large_spec(rows: int, technology: str = "sev-snp", *, feature: int = 0, signature: int = 0) -> str:
    """As `built` says. feature: bits that the last sev_features has besides. signature: is added to every one."""
    variants = max(1, round(rows / CHUNK))
    features = [(technology == "sev-snp") + 4 * n for n in range(min(variants, 64))]
    features[-1] |= feature
    signatures = [0x800F10 + 16 * n + signature for n in range(max(1, round(variants / len(features))))]
    return f"""
name = "large"
firmware = {{ builds = ["sid/ovmf-amdsev/OVMF.amdsev.fd"] }}
kernel_hashes = {{ tables = {TABLES} }}
[technologies.{technology}]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = {signatures}
sev_features = {features}
vcpus = ["1-4096"]
"""


class Taken(NamedTuple):
    """What a command took. peak: bytes of memory of all its processes at the most. processor: seconds, of all."""

    seconds: float
    peak: int
    processor: float


def whole_command(*arguments: str, codes: Sequence[int] = (0,)) -> Taken:
    """Run a command of ldcat. codes: exit codes it has."""
    return watched([sys.executable, "-m", "catalog", *arguments], codes)


def watched(command: Sequence[str], codes: Sequence[int] = (0,)) -> Taken:
    """Run a command. codes: exit codes it has."""
    before, started = _processor_seconds(), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _resident(process.pid))
        time.sleep(0.02)
    seconds = time.perf_counter() - started
    if process.returncode not in codes:
        raise SystemExit(f"bench: {' '.join(command)} ended with {process.returncode}")
    return Taken(seconds, peak, _processor_seconds() - before)


def _processor_seconds() -> float:
    """Of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _build(name: str, folder: Path, arguments: list[str]) -> Build:
    taken = whole_command("build", *arguments, "-o", str(folder), "--quiet")
    return Build(
        name=name,
        folder=folder,
        rows=row_count(folder),
        seconds=taken.seconds,
        peak=taken.peak,
        parquet=_size(folder, "launch_digests*.parquet"),
        index=_size(folder, "launch_digests.index*"),
    )


def row_count(folder: Path) -> int:
    """Rows of a catalog, of all technologies."""
    technologies = json.loads((folder / "manifest.json").read_bytes())["technologies"]
    return sum(technology["rows"] for technology in technologies.values())


def _size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(f"*/{pattern}"))


def _resident(root: int) -> int:
    """Bytes of memory that a process and all its descendants hold now, files they have mapped not counted."""
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
            resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
            total += (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            continue
    return total
