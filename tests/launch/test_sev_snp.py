"""SEV-SNP: the chain of pages in launch order, written out by hand for each order; and what cannot be launched."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import replace

import pytest

from catalog.abi.vcpu_start import RESET_EIP
from catalog.errors import CannotLaunch
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.metadata import Area, Section, SectionType
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.point import FirmwarePoint, VcpuPoint
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import measure, technologies
from tests.support.firmware_builder import AMDSEV_AREA, PAGE, RESET_VECTOR, build_ovmf
from tests.support.profiles import DATA, EPYC, HASHES, PROFILES, a_point

SNP = technologies()["sev-snp"]
NORMAL, VMSA, ZERO, UNMEASURED, SECRETS, CPUID = range(1, 7)
VMSA_GPA = 0xFFFFFFFFF000

MEMORY = Section(0x800000, 0x3000, 1)
SECRET = Section(0x80D000, 0x2000, 2)
CPUID_PAGE = Section(0x80F000, 0x1000, 3)
CAA = Section(0x812000, 0x1000, 4)
HASHES_PAGE = Section(0x810000, 0x1000, 0x10)
SECTIONS = (MEMORY, CPUID_PAGE, SECRET, HASHES_PAGE, CAA)
IMAGE = build_ovmf(pages=3, hashes_area=AMDSEV_AREA, sections=SECTIONS)
FIRMWARE = FirmwareComponent.from_image(OvmfImage.parse(IMAGE))

Page = tuple[int, int, bytes | None]


def chain(pages: Iterable[Page]) -> bytes:
    """The hash chain of SEV-SNP ABI 8.17.2."""
    digest = bytes(48)
    for page_type, gpa, contents in pages:
        hashed = bytes(48) if contents is None else hashlib.sha384(contents).digest()
        digest = hashlib.sha384(digest + hashed + struct.pack("<HBBIQ", 0x70, page_type, 0, 0, gpa)).digest()
    return digest


def image_pages(image: bytes = IMAGE) -> list[Page]:
    start = (1 << 32) - len(image)
    return [(NORMAL, start + at, image[at : at + PAGE]) for at in range(0, len(image), PAGE)]


def section_pages(section: Section, page_type: int) -> list[Page]:
    return [(page_type, gpa, None) for gpa in range(section.gpa, section.end, PAGE)]


def vcpu_pages(profile: VmmProfile, vcpus: int) -> list[Page]:
    signature = a_point(SNP).vcpu_signature if profile.measures_signature else replace(EPYC, value=0)  # type: ignore[union-attr]
    assert signature
    bsp = profile.vmsa_page(RESET_EIP, signature, 1, bsp=True)
    ap = profile.vmsa_page(RESET_VECTOR, signature, 1, bsp=False)
    return [(VMSA, VMSA_GPA, page) for page in [bsp] + [ap] * (vcpus - 1)]


def measured(name: str, firmware: FirmwareComponent = FIRMWARE, **chosen: object) -> bytes:
    profile = PROFILES[name]
    if not profile.measures_signature:
        chosen["vcpu_signature"] = None
    return measure(SNP, firmware, a_point(SNP, vmm=profile, **chosen)).value


HASHED = [(NORMAL, 0x810000, HASHES.page(0xC00))]
UNHASHED = section_pages(HASHES_PAGE, ZERO)
COMMON = [section_pages(SECRET, SECRETS), section_pages(CAA, ZERO)]


@pytest.mark.parametrize("with_kernel", [False, True])
@pytest.mark.parametrize("vcpus", [1, 3])
@pytest.mark.parametrize("name", ["qemu-kvm-init2", "qemu-kvm-legacy", "gce-v1"])
def test_sections_are_launched_in_the_order_of_the_file(name: str, vcpus: int, with_kernel: bool) -> None:
    memory = section_pages(MEMORY, UNMEASURED if name == "gce-v1" else ZERO)
    hashes = HASHED if with_kernel else UNHASHED
    pages = [*image_pages(), *memory, *section_pages(CPUID_PAGE, CPUID), *COMMON[0], *hashes, *COMMON[1]]
    expected = chain(pages + vcpu_pages(PROFILES[name], vcpus))
    assert measured(name, vcpus=vcpus, kernel_hashes=HASHES if with_kernel else None) == expected


@pytest.mark.parametrize("name", ["ec2-2023", "ec2-2026"])
def test_ec2_launches_cpuid_last(name: str) -> None:
    pages = [*image_pages(), *section_pages(MEMORY, ZERO), *COMMON[0], *HASHED, *COMMON[1]]
    expected = chain(pages + section_pages(CPUID_PAGE, CPUID) + vcpu_pages(PROFILES[name], 2))
    assert measured(name, kernel_hashes=HASHES) == expected


def test_amdese_2022_launches_the_hashes_before_the_sections() -> None:
    image = build_ovmf(pages=3, hashes_area=AMDSEV_AREA, sections=(MEMORY, SECRET, CPUID_PAGE))
    firmware = FirmwareComponent.from_image(OvmfImage.parse(image))
    sections = [*section_pages(MEMORY, ZERO), *COMMON[0], *section_pages(CPUID_PAGE, CPUID)]
    vcpus = vcpu_pages(PROFILES["qemu-amdese-2022"], 2)
    with_kernel = chain([*image_pages(image), *HASHED, *sections, *vcpus])
    assert measured("qemu-amdese-2022", firmware, kernel_hashes=HASHES) == with_kernel
    assert measured("qemu-amdese-2022", firmware) == chain([*image_pages(image), *sections, *vcpus])


def test_the_baseline_replaces_the_image() -> None:
    other = replace(FIRMWARE, snp_baseline=chain(image_pages(IMAGE[PAGE:])))
    assert measured("qemu-kvm-init2", other) != measured("qemu-kvm-init2")


def test_an_update_of_measured_pages_is_hashed_page_by_page() -> None:
    from catalog.abi.page_info import PageType
    from catalog.launch.update import LaunchUpdate

    update = LaunchUpdate(PageType.NORMAL, (1 << 32) - len(IMAGE), len(IMAGE), IMAGE)
    assert SNP.extend(bytes(48), update) == FIRMWARE.snp_baseline


def component(sections: tuple[Section, ...] | None, **chosen: object) -> FirmwareComponent:
    return FirmwareComponent.from_image(OvmfImage.parse(build_ovmf(sections=sections, **chosen)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("firmware", "name", "chosen", "reason"),
    [
        (component(None), "qemu-kvm-init2", {}, "the image has no SEV metadata"),
        (component(SECTIONS, reset_vector=None), "qemu-kvm-init2", {}, "has no SEV-ES reset block"),
        (component(SECTIONS, reset_vector=0), "qemu-kvm-init2", {}, "reset address is zero"),
        (FIRMWARE, "qemu-kvm-init2", {"sev_features": 0x20}, "sev_features 0x20 lacks bit 0, SNPActive"),
        (FIRMWARE, "qemu-amdese-2022", {}, "does not know metadata sections of type SNP_KERNEL_HASHES"),
        (component((CAA,)), "qemu-amdese-2022", {}, "does not know metadata sections of type SVSM_CAA"),
        (component((MEMORY,)), "qemu-kvm-init2", {"kernel_hashes": HASHES}, "no kernel hashes area"),
        (component(SECTIONS), "qemu-kvm-init2", {"kernel_hashes": HASHES}, "no kernel hashes area"),
        (
            component(SECTIONS, hashes_area=Area(0x810C00, 16)),
            "qemu-kvm-init2",
            {"kernel_hashes": HASHES},
            "less than its table's 176",
        ),
        (
            component((MEMORY,), hashes_area=AMDSEV_AREA),
            "qemu-kvm-init2",
            {"kernel_hashes": HASHES},
            "no kernel hashes section, so the kernel would not be measured",
        ),
        (
            component((MEMORY,), hashes_area=Area(0x810F51, 0x400)),
            "qemu-amdese-2022",
            {"kernel_hashes": HASHES},
            "table at 0x810f51 would not lie in one page",
        ),
    ],
)
def test_configurations_that_cannot_launch_are_refused(
    firmware: FirmwareComponent, name: str, chosen: dict[str, object], reason: str
) -> None:
    with pytest.raises(CannotLaunch, match=reason):
        measured(name, firmware, **chosen)


def test_a_table_at_the_very_end_of_a_page_launches() -> None:
    firmware = component((MEMORY,), hashes_area=Area(0x810F50, 0x400))
    assert measured("qemu-amdese-2022", firmware, kernel_hashes=HASHES)


def test_a_profile_without_snp_is_refused() -> None:
    text = (DATA / "vmm" / "qemu-kvm-init2.toml").read_text(encoding="utf-8")
    profile = VmmProfile.parse(text[: text.index("[snp]")].replace('"sev-es", "sev-snp"', '"sev-es"'))
    with pytest.raises(CannotLaunch, match="qemu-kvm-init2 does not launch sev-snp"):
        measure(SNP, FIRMWARE, a_point(SNP, vmm=profile))


def test_a_hashes_page_inside_a_section_is_refused() -> None:
    sections = (Section(0x800000, 0x10000, SectionType.SNP_SEC_MEM), Section(0x810000, 0x1000, SectionType.CPUID))
    image = build_ovmf(hashes_area=Area(0x80FC00, 0x400), sections=sections)
    firmware = FirmwareComponent.from_image(OvmfImage.parse(image))
    point = VcpuPoint(HASHES, PROFILES["qemu-amdese-2022"], EPYC, 1, 1)
    with pytest.raises(CannotLaunch, match="is part of metadata section SNP_SEC_MEM"):
        measure(technologies()["sev-snp"], firmware, point)


def test_a_hashes_area_inside_the_firmware_is_refused() -> None:
    image = build_ovmf(hashes_area=Area(0xFFFFF800, 0x400))
    firmware = FirmwareComponent.from_image(OvmfImage.parse(image))
    with pytest.raises(CannotLaunch, match="would lie in the firmware"):
        measure(technologies()["sev"], firmware, FirmwarePoint(HASHES))
