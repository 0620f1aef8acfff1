"""Small specs, images and catalogs that many tests share."""

from __future__ import annotations

import hashlib
import signal
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult, build_catalog
from catalog.launch.hashing.backends import HashBackend, choose
from catalog.spec.catalog_spec import load_spec
from catalog.state.receipts import Receipts
from catalog.work.engine import local_engine
from catalog.work.progress import Progress, StartProgress
from tests.support.firmware_builder import AMDSEV_AREA, AMDSEV_SECTIONS, build_ovmf, packed_volume, volume_contents

KERNEL = b"a kernel"
INITRD = b"an initrd"

SMALL = """
name = "small"

[firmware]
files = ["whole.fd", "twin.fd", "bare.fd"]

[kernel_hashes]
tables = ["none", "mine"]

[[kernel_hashes.define]]
name = "mine"
kernel = "vmlinuz"
initrd = "initrd.img"
append = "quiet nr_cpus=2"

[technologies.sev]

[technologies.sev-es]
vmm = ["qemu-kvm-legacy"]
vcpu_signatures = ["EPYC-Milan"]
sev_features = [0]
vcpus = ["1-3"]

[technologies.sev-snp]
vmm = ["ec2-2026", "qemu-kvm-init2", "qemu-kvm-legacy"]
vcpu_signatures = ["EPYC-Milan", 0xa10f10]
sev_features = [1, 0x21]
vcpus = ["1-3"]
"""
"""Over whole.fd, twin.fd (the same bytes) and bare.fd (an older image without metadata or area)."""

ENDLESS = f"""
name = "endless"
firmware = {{ builds = ["sid/ovmf-amdsev/OVMF.amdsev.fd"] }}
[technologies.sev-snp]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = {[0x800F00 + 16 * number for number in range(64)]}
sev_features = {[1 + 4 * number for number in range(128)]}
vcpus = ["1-4096"]
"""
"""33,554,432 rows: of a build that does not end by itself before it is ended."""

ONE_ROW = """
name = "one"
firmware = { builds = ["sid/ovmf-amdsev/OVMF.amdsev.fd"] }
technologies = { sev = {} }
"""


def whole_image(seed: int = 1, *, verifier: bool = True) -> bytes:
    """An image that launches under everything, with or without the verifier that enforces kernel hashes."""
    volume = packed_volume(volume_contents(verifier=verifier))
    return build_ovmf(pages=4, seed=seed, hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS, volume=volume)


def bare_image(seed: int = 2) -> bytes:
    """An image with a reset vector and nothing else: SEV and SEV-ES without kernel hashes."""
    return build_ovmf(seed=seed)


def write_inputs(folder: Path) -> Path:
    """The files that SMALL names, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "whole.fd").write_bytes(whole_image())
    (folder / "twin.fd").write_bytes(whole_image())
    (folder / "bare.fd").write_bytes(bare_image())
    (folder / "vmlinuz").write_bytes(KERNEL)
    (folder / "initrd.img").write_bytes(INITRD)
    return folder


def write_spec(folder: Path, text: str, name: str = "spec.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def receipts_of(out: Path) -> Receipts:
    return Receipts(out.parent / "receipts")


def no_progress(what: str, rows: int) -> Progress:
    return lambda _: None


def build(
    spec: Path | None,
    out: Path,
    *,
    processes: int = 1,
    backend: HashBackend | None = None,
    start_progress: StartProgress = no_progress,
) -> BuildResult:
    chosen = backend or choose()
    with local_engine(processes, threads=chosen.compiled) as engine:
        return build_catalog(
            load_spec(spec),
            out,
            engine=engine,
            backend=chosen,
            receipts=receipts_of(out),
            start_progress=start_progress,
        )


def contents(folder: Path) -> dict[str, str]:
    """Every path below `folder` with the SHA-256 of its bytes, or "folder"."""
    return {
        str(path.relative_to(folder)): "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
    }


def hear_interrupts() -> None:
    """Of a process that is started: where these tests run in the background of a shell, SIGINT is not heard."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def small_catalog(factory: pytest.TempPathFactory) -> BuildResult:
    """The catalog of SMALL, made once; its inputs lie beside it."""
    folder = write_inputs(factory.mktemp("small"))
    return build(write_spec(folder, SMALL), folder / "catalog")


def default_catalog(factory: pytest.TempPathFactory) -> BuildResult:
    """The catalog of the embedded default, made once."""
    return build(None, factory.mktemp("default") / "catalog", processes=2)
