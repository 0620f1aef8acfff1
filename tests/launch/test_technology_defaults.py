"""The defaults of `Technology`: without any override only the firmware is measured."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from catalog.abi.digest import LaunchDigest
from catalog.errors import CannotLaunch
from catalog.fast.match import TAKING_KERNEL_HASHES
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.hashing.backends import choose
from catalog.launch.point import FirmwarePoint, VcpuPoint
from catalog.launch.technology import Measurer, Technology, by_name, measure, technologies, technologies_of_size
from catalog.launch.update import LaunchUpdate, UpdateRun
from catalog.launch.vmsa_updates import vmsa_runs
from tests.support.firmware_builder import AMDSEV_AREA, AMDSEV_SECTIONS, build_ovmf
from tests.support.profiles import HASHES, a_point

FIRMWARE = FirmwareComponent.from_image(OvmfImage.parse(build_ovmf(hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS)))


class Plain(Technology):
    """The shortest possible technology."""

    name = "plain"
    title = "Plain"
    digest_size = 48

    def baseline(self, firmware: FirmwareComponent) -> bytes:
        return firmware.snp_baseline

    def finish(self, state: bytes) -> LaunchDigest:
        return LaunchDigest(state)


class WithVcpus(Plain):
    """Also measures the contents of every VMSA."""

    name = "sev-es"  # the VMM profiles support this name
    point_type = VcpuPoint

    def update_runs(self, firmware: FirmwareComponent, point: VcpuPoint) -> Iterator[UpdateRun]:
        return vmsa_runs(firmware, point, gpa=0)

    def extend(self, state: bytes, update: LaunchUpdate) -> bytes:
        return hashlib.sha384(state + update.data).digest()


def test_only_the_firmware_is_measured() -> None:
    plain = Plain()
    assert measure(plain, FIRMWARE, FirmwarePoint(None)).value == FIRMWARE.snp_baseline
    assert not plain.measures_vcpus
    assert plain.measured_fields == frozenset()
    assert plain.firmware_blocker(FIRMWARE) is None


def test_fields_that_are_not_measured_are_refused() -> None:
    with pytest.raises(CannotLaunch, match="plain cannot launch this: plain measures no kernel hashes"):
        measure(Plain(), FIRMWARE, FirmwarePoint(HASHES))


def test_chains_are_hashed_one_after_the_other() -> None:
    technology, counts = WithVcpus(), (1, 2, 5)
    point = a_point(technology)
    assert isinstance(point, VcpuPoint)
    chain = Measurer(technology, FIRMWARE).chain(point)
    assert Measurer(technology, FIRMWARE).vmsas(point) == (chain.bsp, chain.ap)
    digests = b"".join(measure(technology, FIRMWARE, replace(point, vcpus=count)).value for count in counts)
    assert technology.fold_chains([chain, chain], counts, choose()) == [digests, digests]
    assert technology.measured_fields == {"vmm", "vcpu_signature", "sev_features", "vcpus"}


def test_a_vmm_that_does_not_support_it_is_named() -> None:
    technology = WithVcpus()
    technology.name = "other"  # type: ignore[misc]
    assert technology.launch_blocker(FIRMWARE, a_point(technology)) == "qemu-kvm-init2 does not launch other"


def test_a_technology_without_extend_raises_not_implemented() -> None:
    with pytest.raises(NotImplementedError, match="plain does not say how it folds launch updates"):
        Plain().extend(b"", None)  # type: ignore[arg-type]


def test_technologies_are_found_by_digest_size() -> None:
    assert technologies_of_size(32) == ["sev", "sev-es"]
    assert technologies_of_size(48) == ["sev-snp", "tdx"]
    assert technologies_of_size(64) == []


def test_the_fast_path_lists_only_technologies_that_take_kernel_hashes() -> None:
    """It reads names only; for a technology that it does not know it prints what holds for all."""
    assert set(TAKING_KERNEL_HASHES) <= {name for name, known in technologies().items() if known.takes_kernel_hashes}


class Odd(Plain):
    """A technology whose name and size are set in the test."""

    def __init__(self, name: str, digest_size: int = 48) -> None:
        self.name, self.digest_size = name, digest_size  # type: ignore[misc]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (Odd("TOY"), "odd.py: 'TOY', 48 bytes: not a technology"),
        (Odd("toy", 64), "odd.py: 'toy', 64 bytes: not a technology"),
        (Odd("plain"), "odd.py: 'plain' is the name of another technology"),
    ],
)
def test_an_invalid_technology_is_refused(made: Technology, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        by_name([("plain", Plain()), ("odd", made)])
    assert list(by_name([("zeta", Odd("zeta")), ("plain", Plain())])) == ["plain", "zeta"]
