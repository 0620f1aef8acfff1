"""The plain way to a SEV-SNP digest gives what the definition gives, or says before that it does not."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.page_info import INITIAL_DIGEST, PageType, fold_pages
from catalog.errors import CannotLaunch
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.metadata import Area, Section, SectionType
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.plain_snp import is_plain_launch, plain_snp_digest
from catalog.launch.point import VcpuPoint
from catalog.launch.technologies.sev_snp import SevSnp
from catalog.launch.technology import measure
from tests.support.firmware_builder import AMDSEV_AREA, AMDSEV_SECTIONS, build_ovmf
from tests.support.profiles import HASHES, PROFILES, a_point
from tests.support.strategies import images, points

SNP = SevSnp()
TABLES = {name: tomllib.loads(profile.text) for name, profile in PROFILES.items()}


def plain(image: OvmfImage, point: VcpuPoint) -> bytes | None:
    profile, hashes = TABLES[point.vmm.name], point.kernel_hashes
    if not is_plain_launch(image, profile, has_table=hashes is not None):
        return None
    assert point.vcpu_signature
    return plain_snp_digest(
        image,
        fold_pages(INITIAL_DIGEST, PageType.NORMAL, image.gpa, image.data),
        profile,
        signature=point.vcpu_signature.value,
        vcpus=point.vcpus,
        table=hashes.table() if hashes else None,
    )


def defined(image: OvmfImage, point: VcpuPoint) -> bytes | None:
    try:
        return measure(SNP, FirmwareComponent.from_image(image), point).value
    except CannotLaunch:
        return None


@given(data=images(), point=points(SNP))
def test_any_launch(data: bytes, point: VcpuPoint) -> None:
    image, point = OvmfImage.parse(data), replace(point, sev_features=SNP.default_sev_features)
    found = plain(image, point)
    assert found in (None, defined(image, point))


@given(
    vmm=st.sampled_from(sorted(PROFILES)),
    hashes=st.none() | st.just(HASHES) | st.just(KernelHashes.of(kernel=bytes(32))),
    vcpus=st.integers(1, 5),
    reset_vector=st.integers(1, 0xFFFFFFFF),
)
def test_a_published_layout_is_plain_unless_its_profile_is_not(
    vmm: str, hashes: KernelHashes | None, vcpus: int, reset_vector: int
) -> None:
    data = build_ovmf(reset_vector=reset_vector, hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS)
    profile, image = PROFILES[vmm], OvmfImage.parse(data)
    if profile.snp is None or not profile.measures_signature:
        assert not is_plain_launch(image, TABLES[vmm], has_table=hashes is not None)
        return
    point = a_point(SNP, vmm=profile, kernel_hashes=hashes, vcpus=vcpus)
    assert isinstance(point, VcpuPoint)
    found = plain(image, point)
    assert found == defined(image, point)
    if hashes is None or not profile.snp.hashes_after_firmware:
        assert (found is None) == (defined(image, point) is None)


def test_what_cannot_launch_is_not_plain() -> None:
    def is_plain(
        area: Area | None, *sections: Section, reset_vector: int | None = 0x80B004, table: bool = True
    ) -> bool:
        image = OvmfImage.parse(build_ovmf(reset_vector=reset_vector, hashes_area=area, sections=sections))
        return is_plain_launch(image, TABLES["qemu-kvm-init2"], has_table=table)

    assert is_plain(AMDSEV_AREA, *AMDSEV_SECTIONS)
    assert not is_plain(AMDSEV_AREA, *AMDSEV_SECTIONS, reset_vector=None)
    assert not is_plain(AMDSEV_AREA, *AMDSEV_SECTIONS, reset_vector=0)
    assert not is_plain(AMDSEV_AREA)
    assert not is_plain(AMDSEV_AREA, Section(0x800000, 0x1000, 0x77))
    assert not is_plain(None, *AMDSEV_SECTIONS)
    assert not is_plain(Area(AMDSEV_AREA.gpa, 175), *AMDSEV_SECTIONS)
    assert not is_plain(AMDSEV_AREA, *AMDSEV_SECTIONS[:-1])
    assert is_plain(AMDSEV_AREA, *AMDSEV_SECTIONS[:-1], table=False)


def test_a_section_that_the_profile_does_not_know_is_not_plain() -> None:
    image = OvmfImage.parse(build_ovmf(sections=AMDSEV_SECTIONS, hashes_area=AMDSEV_AREA))
    profile = TABLES["qemu-kvm-init2"]
    known = {name: kind for name, kind in profile["snp"]["page_types"].items() if name != "SVSM_CAA"}
    assert not is_plain_launch(image, {**profile, "snp": {**profile["snp"], "page_types": known}}, has_table=False)


def test_cpuid_comes_last_where_the_profile_says_so() -> None:
    image = OvmfImage.parse(build_ovmf(sections=AMDSEV_SECTIONS, hashes_area=AMDSEV_AREA))
    point = a_point(SNP)
    assert isinstance(point, VcpuPoint)
    profile = TABLES[point.vmm.name]
    last = {**profile, "snp": {**profile["snp"], "cpuid": "after-sections"}}
    moved = [one for one in AMDSEV_SECTIONS if one.kind != SectionType.CPUID]
    moved += [one for one in AMDSEV_SECTIONS if one.kind == SectionType.CPUID]
    reordered = OvmfImage(image.data, image.table, image.reset_vector, image.hashes_area, tuple(moved))

    def digest(image: OvmfImage, profile: dict[str, Any]) -> bytes:
        return plain_snp_digest(image, bytes(48), profile, signature=1, vcpus=2, table=None)

    assert digest(image, last) == digest(reordered, profile) != digest(image, profile)
