"""Points: which launch configurations can be constructed."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.errors import UsageError
from catalog.launch.point import MAX_VCPUS, FirmwarePoint, VcpuPoint
from tests.support.profiles import EPYC, HASHES, PROFILES


def point(**chosen: Any) -> VcpuPoint:
    fields = {
        "kernel_hashes": None,
        "vmm": PROFILES["qemu-kvm-init2"],
        "vcpu_signature": EPYC,
        "sev_features": 1,
        "vcpus": 1,
    }
    return VcpuPoint(**fields | chosen)


@pytest.mark.parametrize("vcpus", [1, 2, MAX_VCPUS])
def test_a_guest_has_one_to_4096_vcpus(vcpus: int) -> None:
    assert point(vcpus=vcpus).vcpus == vcpus


@pytest.mark.parametrize("vcpus", [0, -3, MAX_VCPUS + 1])
def test_another_number_of_vcpus_is_refused(vcpus: int) -> None:
    with pytest.raises(UsageError, match=f"cannot have {vcpus} vCPUs") as caught:
        point(vcpus=vcpus)
    assert "4096" in str(caught.value.hint)


@pytest.mark.parametrize("features", [-1, 1 << 64])
def test_features_are_64_bits(features: int) -> None:
    with pytest.raises(UsageError, match="64-bit"):
        point(sev_features=features)
    assert point(sev_features=(1 << 64) - 1)


def test_the_signature_is_given_if_and_only_if_it_is_measured() -> None:
    with pytest.raises(UsageError, match="measures the vCPU signature, and none is given") as caught:
        point(vcpu_signature=None)
    assert "--vcpu-type" in str(caught.value.hint)
    with pytest.raises(UsageError, match="does not measure the vCPU signature"):
        point(vmm=PROFILES["gce-v1"])
    assert point(vmm=PROFILES["gce-v1"], vcpu_signature=None)


def test_points_compare_by_value() -> None:
    assert point() == point()
    assert len({point(), point(), point(vcpus=2), FirmwarePoint(None), FirmwarePoint(HASHES)}) == 4
