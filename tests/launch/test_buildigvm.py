"""The profile buildigvm: the digests of the files that buildigvm makes of an image, which are made here again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.abi.vcpu_start import RESET_EIP
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.igvm_types import PlatformType
from catalog.firmware.metadata import Section, SectionType
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.igvm.igvm_launch import IgvmLaunch
from catalog.launch.igvm.reduce_igvm import reduce_igvm
from catalog.launch.point import VcpuPoint
from catalog.launch.technology import measure, technology_named
from catalog.spec import embedded
from tests.support.firmware_builder import AMDSEV_AREA, AMDSEV_SECTIONS, RESET_VECTOR, build_ovmf
from tests.support.igvm_builder import PAGES_AT, context, igvm_bytes, page, platform, policy

PROFILE = embedded.profiles()["buildigvm"]
VCPUS = 3
LOADERS = [embedded.loaders()[name] for name in ("qemu-igvm", "igvm-spec", "hyperv-igvm")]
NO_TYPE = VcpuSignature(0)
STARTS = ((RESET_EIP, True), (RESET_VECTOR, False))
"""Where BSP and APs start."""


def component(sections: Sequence[Section]) -> FirmwareComponent:
    return FirmwareComponent.from_image(OvmfImage.parse(image_data(sections)))


def image_data(sections: Sequence[Section]) -> bytes:
    return build_ovmf(hashes_area=AMDSEV_AREA, sections=sections)


def headers_of(sections: Sequence[Section], technology: str) -> Iterator[bytes]:
    """The directives of a file of buildigvm, of an image of two pages."""
    yield from (page(0xFFFFE000 + 4096 * number, number + 1) for number in range(2))
    if technology == "sev-snp":
        last = {section.kind: section.gpa for section in sections}
        yield page(last.get(SectionType.SNP_SECRETS, 0), kind=1)
        yield page(last.get(SectionType.SVSM_CAA, 0))
        yield page(last.get(SectionType.CPUID, 0), kind=2)
        for section in sections:
            if section.kind == SectionType.SNP_SEC_MEM:
                yield from map(page, range(section.gpa, section.end, 4096))
    yield context(number=3)
    yield from (context(number=4, vcpu=vcpu) for vcpu in range(1, VCPUS))


@pytest.mark.parametrize("technology", ["sev-snp", "sev-es"])
@pytest.mark.parametrize("sections", [AMDSEV_SECTIONS, AMDSEV_SECTIONS[:1], (*AMDSEV_SECTIONS[:4], AMDSEV_SECTIONS[5])])
def test_the_digest_is_that_of_the_file(technology: str, sections: Sequence[Section]) -> None:
    kind = PlatformType.SEV_SNP if technology == "sev-snp" else PlatformType.SEV_ES
    features = technology_named(technology).default_sev_features
    vmsas = [PROFILE.vmsa_update(eip, NO_TYPE, features, bsp=bsp, gpa=0).data for eip, bsp in STARTS]
    file = bytearray(igvm_bytes(platform(kind), policy(), *headers_of(sections, technology), pages=4))
    file[PAGES_AT:] = image_data(sections) + b"".join(vmsas)
    found = reduce_igvm(IgvmFile.parse(bytes(file)), [(one.igvm, one.technologies) for one in LOADERS if one.igvm])
    point = VcpuPoint(None, PROFILE, None, features, VCPUS)
    digest = measure(technology_named(technology), component(sections), point)
    for loader in (one for one in LOADERS if technology in one.technologies):
        launched = IgvmLaunch(found, technology, loader)
        assert launched.digest(VCPUS if launched.measures_vcpus else None, None) == digest


def test_what_buildigvm_does_not_do_is_refused() -> None:
    hashes = KernelHashes(bytes(32), bytes(32), bytes(32))
    memory = [Section(0x800000 + 0x1000 * number, 0x1000, SectionType.SNP_SEC_MEM) for number in range(9)]
    for technology, features in (("sev-snp", 1), ("sev-es", 0)):
        point = VcpuPoint(hashes, PROFILE, None, features, VCPUS)
        blocker = technology_named(technology).launch_blocker(component(AMDSEV_SECTIONS), point)
        assert blocker == "buildigvm passes no kernel hashes"
    point = VcpuPoint(None, PROFILE, None, 1, VCPUS)
    many = technology_named("sev-snp").launch_blocker(component(memory), point)
    assert many == "buildigvm takes no image with more than 8 memory sections, and this one has 9"
    assert technology_named("sev-snp").launch_blocker(component(memory[:8]), point) is None
