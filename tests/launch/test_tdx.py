"""TDX: the launch digest is the MRTD of the way in which the VMM builds a TD."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog.errors import CannotLaunch, MalformedRecord
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.point import VmmPoint
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import measure, technologies
from tests.support.firmware_builder import build_ovmf
from tests.support.profiles import HASHES, PROFILES, TDX_PROFILES
from tests.support.tdvf_builder import CFV_SIZE, SECTIONS, build_tdvf

TDX = technologies()["tdx"]
IMAGE = build_tdvf()


def component(data: bytes) -> FirmwareComponent:
    return FirmwareComponent.from_image(OvmfImage.parse(data))


FIRMWARE = component(IMAGE)


@pytest.mark.parametrize("name", sorted(TDX_PROFILES))
def test_the_digest_is_the_mrtd_of_the_way_of_the_vmm(name: str) -> None:
    assert FIRMWARE.tdx is not None
    rules = TDX_PROFILES[name].tdx
    assert rules is not None
    assert measure(TDX, FIRMWARE, VmmPoint(None, TDX_PROFILES[name])).value == FIRMWARE.tdx.mrtd[rules.way]


def test_the_profiles_are_those_of_four_vmms() -> None:
    assert {name for name in TDX_PROFILES if not name.startswith("gce-tdx-hob-")} == {
        "qemu-tdx",
        "qemu-tdx-two-pass",
        "gce-tdx",
        "clh-tdx",
    }
    for profile in TDX_PROFILES.values():
        assert profile.technologies == ["tdx"]
        assert profile.wire.evidence
        assert profile.wire.validity
        assert not profile.measures_signature
        assert profile.wire.hosted == ("google-gce" if profile.name.startswith("gce-") else None)


def refused(firmware: FirmwareComponent, name: str = "qemu-tdx", **chosen: object) -> str:
    point = VmmPoint(**{"kernel_hashes": None, "vmm": TDX_PROFILES.get(name) or PROFILES[name], **chosen})  # type: ignore[arg-type]
    assert TDX.launch_blocker(firmware, point)
    with pytest.raises(CannotLaunch) as caught:
        measure(TDX, firmware, point)
    return str(caught.value)


def test_an_image_without_tdvf_metadata_is_refused_with_that_reason() -> None:
    assert "the image has no TDVF metadata" in refused(component(build_ovmf()))


def test_a_broken_field_is_the_reason() -> None:
    assert "TDVF metadata: version 2 is not 1" in refused(component(build_tdvf(version=2)))


def test_facts_that_are_not_known_are_said_to_be_that() -> None:
    found = refused(replace(FIRMWARE, tdx=None))
    assert "the digest cannot be computed: the TDX facts of the image are not known" in found


def test_a_code_file_has_the_mrtd_of_its_combined_image_unless_the_variables_are_measured() -> None:
    code = component(IMAGE[CFV_SIZE:])
    for name in ("qemu-tdx", "qemu-tdx-two-pass", "gce-tdx", "clh-tdx"):
        point = VmmPoint(None, TDX_PROFILES[name])
        assert measure(TDX, code, point) == measure(TDX, FIRMWARE, point)
    found = refused(code, "gce-tdx-hob-c3-standard-4")
    assert "gce-tdx-hob-c3-standard-4 measures the variable store, which is in another file" in found


def test_sections_that_a_vmm_does_not_know_are_refused() -> None:
    with_payload = (*SECTIONS[:-1], SECTIONS[-1]._replace(kind=4))
    image = component(build_tdvf(with_payload))
    assert "qemu-tdx does not know TDVF sections of type PERM_MEM" in refused(image)
    assert measure(TDX, image, VmmPoint(None, TDX_PROFILES["clh-tdx"]))


def test_vmms_of_amd_and_kernel_hashes_are_refused() -> None:
    assert "qemu-kvm-init2 does not launch tdx" in refused(FIRMWARE, "qemu-kvm-init2")
    assert "tdx measures no kernel hashes" in refused(FIRMWARE, kernel_hashes=HASHES)


TEXT = TDX_PROFILES["qemu-tdx"].text


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ('way = "single-pass"', 'way = "three-pass"', "tdx: unknown way 'three-pass'"),
        ('"TD_HOB", ', '"TD_HAB", ', "unknown or missing register, segment or section 'TD_HAB'"),
        ('technologies = ["tdx"]', 'technologies = ["sev-snp"]', r"the table \[tdx\] and technology tdx, alone"),
        ('technologies = ["tdx"]', 'technologies = ["sev-es", "tdx"]', r"the table \[tdx\] and technology tdx, alone"),
        (TEXT[TEXT.index("[tdx]") :], "", r"the table \[tdx\] and technology tdx, alone"),
    ],
)
def test_a_profile_that_is_not_one_is_refused(right: str, wrong: str, message: str) -> None:
    assert right in TEXT
    with pytest.raises(MalformedRecord, match=message):
        VmmProfile.parse(TEXT.replace(right, wrong))
