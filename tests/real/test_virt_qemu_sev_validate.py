"""Against virt-qemu-sev-validate of libvirt, run as a program; the modules for a libvirt connection are stubs.

It tells whether a launch measurement is of a given configuration; `ldcat lookup` finds the configuration. Both have to
agree on every measurement of a grid, and on every changed one.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.launch_measure import MeasureContext, launch_measurement
from catalog.abi.vcpu import VcpuSignature
from catalog.ask.answering import answer
from catalog.ask.verification import VerificationInputs
from catalog.evidence.sniff import sniff
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.hashing.backends import choose
from catalog.launch.point import FirmwarePoint, Point, VcpuPoint
from catalog.launch.technology import measure, technologies
from catalog.store.catalog import Catalog
from tests.real.shared import VIRT_QEMU_SEV_VALIDATE
from tests.support.catalogs import build
from tests.support.profiles import PROFILES
from tests.support.samples import INITRD, KERNEL, whole_image, write_spec

TIK = bytes(range(16))
TEK = bytes(range(16, 32))
SIGNATURE = VcpuSignature.of(family=25, model=1, stepping=1)
SPEC = """
name = "grid"
firmware = { files = ["whole.fd"] }
[kernel_hashes]
tables = ["none", "mine", "bare"]
[[kernel_hashes.define]]
name = "mine"
kernel = "vmlinuz"
initrd = "initrd.img"
append = "quiet nr_cpus=2"
[[kernel_hashes.define]]
name = "bare"
kernel = "vmlinuz"
[technologies.sev]
[technologies.sev-es]
vmm = ["qemu-kvm-legacy"]
vcpu_signatures = ["EPYC-Milan"]
sev_features = [0]
vcpus = ["1-8"]
"""
TABLES = {
    "none": None,
    "mine": KernelHashes.of(
        kernel=hashlib.sha256(KERNEL).digest(), initrd=hashlib.sha256(INITRD).digest(), append="quiet nr_cpus=2"
    ),
    "bare": KernelHashes.of(kernel=hashlib.sha256(KERNEL).digest(), initrd=None, append=None),
}


@dataclass(frozen=True)
class Launch:
    """One launch of the grid. vcpus: None under SEV."""

    table: str
    vcpus: int | None
    policy: int
    firmware: tuple[int, int, int]

    @property
    def point(self) -> Point:
        if self.vcpus is None:
            return FirmwarePoint(TABLES[self.table])
        return VcpuPoint(TABLES[self.table], PROFILES["qemu-kvm-legacy"], SIGNATURE, 0, self.vcpus)

    def context(self, nonce: bytes) -> MeasureContext:
        return MeasureContext(*self.firmware, self.policy, nonce)


LAUNCHES = [
    Launch(table, vcpus, policy, firmware)
    for table in TABLES
    for vcpus, policy in ((None, 0x1), (None, 0x23), (1, 0x5), (2, 0x7), (8, 0x4))
    for firmware in ((0, 24, 15), (1, 55, 40))
]


@dataclass(frozen=True)
class Grid:
    folder: Path
    catalog: Catalog
    component: FirmwareComponent

    def blob(self, launch: Launch, nonce: bytes, *, changed: bool = False) -> str:
        """The base64 that QEMU returns, or one with a changed bit in the measurement."""
        name = "sev" if launch.vcpus is None else "sev-es"
        digest = measure(technologies()[name], self.component, launch.point)
        measurement = bytearray(launch_measurement(TIK, launch.context(nonce), digest))
        measurement[7] ^= changed
        return base64.b64encode(bytes(measurement) + nonce).decode()

    def theirs(self, launch: Launch, blob: str) -> bool:
        """Whether virt-qemu-sev-validate accepts the measurement for that launch."""
        command = [sys.executable, VIRT_QEMU_SEV_VALIDATE, "--measurement", blob, "--tk", str(self.folder / "tk.bin")]
        for option, number in zip(("--api-major", "--api-minor", "--build-id"), launch.firmware, strict=True):
            command += [option, str(number)]
        command += ["--policy", str(launch.policy), "--firmware", str(self.folder / "whole.fd")]
        if launch.table != "none":
            command += ["--kernel", str(self.folder / "vmlinuz")]
        if launch.table == "mine":
            command += ["--initrd", str(self.folder / "initrd.img"), "--cmdline", "quiet nr_cpus=2"]
        if launch.vcpus is not None:
            command += [
                "--num-cpus",
                str(launch.vcpus),
                "--cpu-family",
                "25",
                "--cpu-model",
                "1",
                "--cpu-stepping",
                "1",
            ]
        environment = {**os.environ, "PYTHONPATH": str(self.folder / "stub")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return done.returncode == 0

    def ours(self, launch: Launch, blob: str) -> list[tuple[int | None, str]]:
        """vCPUs and kernel hashes of each configuration that the catalog has for it."""
        numbers = zip(("api-major", "api-minor", "build-id", "policy"), (*launch.firmware, launch.policy), strict=True)
        lines = [f"sev-measurement: {blob}", *(f"sev-{name:<9}: {number}" for name, number in numbers)]
        evidence = sniff("\n".join(lines).encode(), with_tik=True)
        reply = answer(
            self.catalog, evidence, VerificationInputs(tik=TIK), choose(None), warn=pytest.fail, tried=lambda _: None
        )
        return [(m.vcpus, str(m.kernel_hashes["name"]) if m.kernel_hashes else "none") for m in reply.matches]


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Grid:
    folder = tmp_path_factory.mktemp("grid")
    (folder / "stub/lxml").mkdir(parents=True)
    for name in ("libvirt.py", "lxml/__init__.py", "lxml/etree.py"):
        (folder / "stub" / name).touch()
    (folder / "whole.fd").write_bytes(whole_image())
    (folder / "vmlinuz").write_bytes(KERNEL)
    (folder / "initrd.img").write_bytes(INITRD)
    (folder / "tk.bin").write_bytes(TEK + TIK)
    built = build(write_spec(folder, SPEC), folder / "catalog")
    component = FirmwareComponent.from_image(OvmfImage.parse(whole_image()))
    return Grid(folder, Catalog.open(built.folder), component)


@pytest.mark.parametrize("number", range(len(LAUNCHES)))
def test_both_agree(grid: Grid, number: int) -> None:
    launch, nonce = LAUNCHES[number], bytes([number]) * 16
    blob = grid.blob(launch, nonce)
    assert grid.theirs(launch, blob)
    assert grid.ours(launch, blob) == [(launch.vcpus, launch.table)]
    changed = grid.blob(launch, nonce, changed=True)
    assert not grid.theirs(launch, changed)
    assert grid.ours(launch, changed) == []


@pytest.mark.parametrize("number", range(0, len(LAUNCHES), 4))
def test_only_configurations_found_by_ours_are_confirmed_by_theirs(grid: Grid, number: int) -> None:
    launch, nonce = LAUNCHES[number], bytes([number]) * 16
    blob = grid.blob(launch, nonce)
    same = [other for other in LAUNCHES if (other.policy, other.firmware) == (launch.policy, launch.firmware)]
    confirmed = [(other.vcpus, other.table) for other in same if grid.theirs(other, blob)]
    assert confirmed == grid.ours(launch, blob)
