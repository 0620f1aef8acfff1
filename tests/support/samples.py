"""Small specs, images and catalogs that many tests share."""

from __future__ import annotations

import signal
from pathlib import Path

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
"""33,554,432 rows: a build that runs until it is stopped."""

ONE_ROW = """
name = "one"
firmware = { builds = ["sid/ovmf-amdsev/OVMF.amdsev.fd"] }
technologies = { sev = {} }
"""


def whole_image(seed: int = 1, *, verifier: bool = True) -> bytes:
    """An image that launches under every technology, with or without the verifier that enforces kernel hashes."""
    volume = packed_volume(volume_contents(verifier=verifier))
    return build_ovmf(pages=4, seed=seed, hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS, volume=volume)


def bare_image(seed: int = 2) -> bytes:
    """An image with only a reset vector: SEV and SEV-ES without kernel hashes."""
    return build_ovmf(seed=seed)


def write_inputs(folder: Path) -> Path:
    """Writes the files named in SMALL to `folder`."""
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


def hear_interrupts() -> None:
    """For a new process: handles SIGINT even if the tests run in the background of a shell, which ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


UNLIKE = """
[[together]]
when = { kernel_hashes = ["mine"], vcpu_signatures = [0xa10f10] }
only = { vcpus = [1, 3] }
"""
"""Constraints after which the rows are no longer a full product."""

BITS = 3

LONGER = SMALL.replace('vcpus = ["1-3"]', 'vcpus = ["1-2"]', 1).replace('vcpus = ["1-3"]', 'vcpus = ["1-40", 45]')

FEW = LONGER + f"distinguished_bits = {BITS}\n"

ODD = """
[[together]]
when = { kernel_hashes = ["mine"] }
only = { vcpus = [2, 7, 33] }
"""
"""vCPU counts with gaps, which differ between configurations."""

ONLY_SEV = SMALL.split("[technologies.sev-es]")[0]
