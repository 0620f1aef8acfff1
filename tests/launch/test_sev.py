"""SEV and SEV-ES: the SHA-256 of everything in launch order, written out by hand; and what cannot be launched."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from catalog.abi.kernel_table import TABLE_SIZE
from catalog.abi.vcpu_start import RESET_EIP
from catalog.errors import CannotLaunch
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.metadata import Area
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.kernel_hashes_area import hashes_area_blocker
from catalog.launch.point import VcpuPoint
from catalog.launch.technology import measure, technologies
from catalog.launch.vmsa_updates import vmsa_page_hashes, vmsa_updates
from tests.support.firmware_builder import AMDSEV_AREA, PAGE, RESET_VECTOR, build_ovmf
from tests.support.profiles import EPYC, HASHES, PROFILES, a_point

SEV, SEV_ES = technologies()["sev"], technologies()["sev-es"]


def component(**chosen: object) -> tuple[bytes, FirmwareComponent]:
    data = build_ovmf(pages=3, **chosen)  # type: ignore[arg-type]
    return data, FirmwareComponent.from_image(OvmfImage.parse(data))


def test_sev_hashes_the_image_and_the_176_bytes_of_the_table() -> None:
    data, firmware = component(hashes_area=AMDSEV_AREA)
    assert measure(SEV, firmware, a_point(SEV)).value == hashlib.sha256(data).digest()
    with_table = hashlib.sha256(data + HASHES.table()).digest()
    assert measure(SEV, firmware, a_point(SEV, kernel_hashes=HASHES)).value == with_table


def test_sev_launches_any_image() -> None:
    for chosen in ({"reset_vector": None}, {"reset_vector": 0}, {"standalone_reset_block": True}):
        data, firmware = component(**chosen)
        assert SEV.firmware_blocker(firmware) is None
        assert measure(SEV, firmware, a_point(SEV)).value == hashlib.sha256(data).digest()


def test_what_follows_from_the_image_alone_is_not_computed_without_it() -> None:
    firmware = component(hashes_area=AMDSEV_AREA)[1]
    part = replace(firmware, sha256=None, sha384=None, size=None, sha256_midstate=None)
    for technology in (SEV, SEV_ES):
        assert "only what SEV-SNP needs" in str(technology.firmware_blocker(part))
    unknown = replace(part, hashes_area=None)
    assert "is not known" in str(hashes_area_blocker(unknown))


@pytest.mark.parametrize("name", ["qemu-kvm-legacy", "qemu-kvm-init2"])
@pytest.mark.parametrize("vcpus", [1, 2, 5])
@pytest.mark.parametrize("standalone", [False, True])
def test_sev_es_adds_one_page_for_each_vcpu(name: str, vcpus: int, standalone: bool) -> None:
    data, firmware = component(standalone_reset_block=standalone)
    profile = PROFILES[name]
    bsp = profile.vmsa_page(RESET_EIP, EPYC, 0x20, bsp=True)
    ap = profile.vmsa_page(RESET_VECTOR, EPYC, 0x20, bsp=False)
    expected = hashlib.sha256(data + bsp + ap * (vcpus - 1)).digest()
    point = a_point(SEV_ES, vmm=profile, sev_features=0x20, vcpus=vcpus)
    assert measure(SEV_ES, firmware, point).value == expected


def test_sev_es_hashes_the_table_before_the_vcpus() -> None:
    data, firmware = component(hashes_area=AMDSEV_AREA)
    page = PROFILES["qemu-kvm-init2"].vmsa_page(RESET_EIP, EPYC, 0, bsp=True)
    expected = hashlib.sha256(data + HASHES.table() + page).digest()
    assert measure(SEV_ES, firmware, a_point(SEV_ES, kernel_hashes=HASHES, vcpus=1)).value == expected


def test_hashes_of_the_pages_that_are_measured() -> None:
    _, firmware = component()
    point = VcpuPoint(None, PROFILES["qemu-kvm-init2"], EPYC, 0, 2)
    bsp = point.vmm.vmsa_page(RESET_EIP, EPYC, 0, bsp=True)
    ap = point.vmm.vmsa_page(RESET_VECTOR, EPYC, 0, bsp=False)
    assert vmsa_page_hashes(firmware, point) == (hashlib.sha256(bsp).digest(), hashlib.sha256(ap).digest())


def test_the_two_init_commands_differ() -> None:
    _, firmware = component()
    digests = {measure(SEV_ES, firmware, a_point(SEV_ES, vmm=PROFILES[f"qemu-kvm-{i}"])) for i in ("legacy", "init2")}
    assert len(digests) == 2


@pytest.mark.parametrize("technology", [SEV, SEV_ES])
@pytest.mark.parametrize(
    ("area", "reason"),
    [
        (None, "no kernel hashes area"),
        (Area(0, 0x400), "no kernel hashes area"),
        (Area(0x810C00, TABLE_SIZE - 1), "area is 175 bytes, less than its table's 176"),
    ],
)
def test_an_area_too_small_for_the_table_cannot_launch(technology: object, area: Area | None, reason: str) -> None:
    _, firmware = component(hashes_area=area)
    with pytest.raises(CannotLaunch, match=reason):
        measure(technology, firmware, a_point(technology, kernel_hashes=HASHES))  # type: ignore[arg-type]
    assert measure(technology, firmware, a_point(technology))  # type: ignore[arg-type]


def test_an_area_of_exactly_the_size_of_the_table_is_enough() -> None:
    data, firmware = component(hashes_area=Area(0x810C00, TABLE_SIZE))
    expected = hashlib.sha256(data + HASHES.table()).digest()
    assert measure(SEV, firmware, a_point(SEV, kernel_hashes=HASHES)).value == expected


@pytest.mark.parametrize("technology", [SEV, SEV_ES])
def test_a_table_may_end_at_the_start_of_the_firmware(technology: object) -> None:
    begin = (1 << 32) - 3 * PAGE
    point = a_point(technology, kernel_hashes=HASHES)  # type: ignore[arg-type]
    _, firmware = component(hashes_area=Area(begin - TABLE_SIZE, TABLE_SIZE))
    assert firmware.gpa == begin
    assert measure(technology, firmware, point)  # type: ignore[arg-type]
    _, firmware = component(hashes_area=Area(begin - TABLE_SIZE + 1, TABLE_SIZE))
    with pytest.raises(CannotLaunch, match="would lie in the firmware"):
        measure(technology, firmware, point)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reset_vector", "reason"), [(None, "has no SEV-ES reset block"), (0, "reset address is zero")]
)
def test_sev_es_needs_a_reset_vector(reset_vector: int | None, reason: str) -> None:
    _, firmware = component(reset_vector=reset_vector)
    assert reason in str(SEV_ES.firmware_blocker(firmware))
    point = a_point(SEV_ES)
    with pytest.raises(CannotLaunch, match=reason):
        measure(SEV_ES, firmware, point)
    with pytest.raises(CannotLaunch, match=reason):
        vmsa_updates(firmware, point, gpa=0)  # type: ignore[arg-type]


def test_sev_es_refuses_features_of_snp() -> None:
    _, firmware = component()
    with pytest.raises(CannotLaunch, match="ec2-2026 does not launch sev-es"):
        measure(SEV_ES, firmware, a_point(SEV_ES, vmm=PROFILES["ec2-2026"], vcpu_signature=None))
    with pytest.raises(CannotLaunch, match="sev_features 0x21 has bit 0, SNPActive"):
        measure(SEV_ES, firmware, a_point(SEV_ES, sev_features=0x21))
