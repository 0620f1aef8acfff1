"""What a technology has without a word about it: it measures the firmware alone."""

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
from catalog.launch.technology import Measurer, Technology, measure, technologies, technologies_of_size
from catalog.launch.update import LaunchUpdate, UpdateRun
from catalog.launch.vmsa_updates import vmsa_runs
from tests.support.firmware_builder import AMDSEV_AREA, AMDSEV_SECTIONS, build_ovmf
from tests.support.profiles import HASHES, a_point

FIRMWARE = FirmwareComponent.from_image(OvmfImage.parse(build_ovmf(hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS)))


class Plain(Technology):
    """As short as a technology can be."""

    name = "plain"
    title = "Plain"
    digest_size = 48

    def baseline(self, firmware: FirmwareComponent) -> bytes:
        return firmware.sha384

    def finish(self, state: bytes) -> LaunchDigest:
        return LaunchDigest(state)


class WithVcpus(Plain):
    """The contents of every VMSA are measured, too."""

    name = "sev-es"  # VMM profiles launch that
    point_type = VcpuPoint

    def update_runs(self, firmware: FirmwareComponent, point: VcpuPoint) -> Iterator[UpdateRun]:
        return vmsa_runs(firmware, point, gpa=0)

    def extend(self, state: bytes, update: LaunchUpdate) -> bytes:
        return hashlib.sha384(state + update.data).digest()


def test_the_firmware_alone_is_measured() -> None:
    plain = Plain()
    assert measure(plain, FIRMWARE, FirmwarePoint(None)).value == FIRMWARE.sha384
    assert not plain.measures_vcpus
    assert plain.measured_fields == frozenset()
    assert plain.firmware_blocker(FIRMWARE) is None


def test_what_is_not_measured_is_refused() -> None:
    with pytest.raises(CannotLaunch, match="plain cannot launch this: plain measures no kernel hashes"):
        measure(Plain(), FIRMWARE, FirmwarePoint(HASHES))


def test_chains_are_folded_one_after_the_other() -> None:
    technology, counts = WithVcpus(), (1, 2, 5)
    point = a_point(technology)
    assert isinstance(point, VcpuPoint)
    chain = Measurer(technology, FIRMWARE).chain(point)
    digests = b"".join(measure(technology, FIRMWARE, replace(point, vcpus=count)).value for count in counts)
    assert technology.fold_chains([chain, chain], counts, choose()) == [digests, digests]
    assert technology.measured_fields == {"vmm", "vcpu_signature", "sev_features", "vcpus"}


def test_a_vmm_that_does_not_launch_it_is_named() -> None:
    technology = WithVcpus()
    technology.name = "other"  # type: ignore[misc]
    assert technology.launch_blocker(FIRMWARE, a_point(technology)) == "qemu-kvm-init2 does not launch other"


def test_updates_that_it_cannot_fold_are_a_defect_of_it() -> None:
    with pytest.raises(NotImplementedError, match="plain does not say how it folds launch updates"):
        Plain().extend(b"", None)  # type: ignore[arg-type]


def test_technologies_share_a_size() -> None:
    assert technologies_of_size(32) == ["sev", "sev-es"]
    assert technologies_of_size(48) == ["sev-snp"]
    assert technologies_of_size(64) == []


def test_the_fast_path_knows_which_take_kernel_hashes() -> None:
    """It reads names alone; of a technology that it does not know it says what is true of all."""
    assert set(TAKING_KERNEL_HASHES) <= {name for name, known in technologies().items() if known.takes_kernel_hashes}
