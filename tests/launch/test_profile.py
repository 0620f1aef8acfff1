"""VmmProfile: the files of data/vmm/, and errors that name the path of the invalid value."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sevsnpmeasure.vmm_types import VMMType
from sevsnpmeasure.vmsa import VMSA

from catalog.abi.page_info import PageType
from catalog.abi.vcpu import VcpuSignature
from catalog.abi.vcpu_start import RESET_EIP
from catalog.errors import MalformedRecord
from catalog.firmware.metadata import SectionType
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import technologies
from tests.support.profiles import DATA, EPYC, PROFILES

QEMU = (DATA / "vmm" / "qemu-kvm-init2.toml").read_text(encoding="utf-8")
BUILDIGVM = (DATA / "vmm" / "buildigvm.toml").read_text(encoding="utf-8")
EC2 = (DATA / "vmm" / "ec2-2026.toml").read_text(encoding="utf-8")

PEER_PAGES = {
    # profile: VMM of sev-snp-measure 0.0.13, and how an older version of it differs
    "qemu-kvm-init2": (VMMType.QEMU, {}),
    "qemu-kvm-legacy": (VMMType.QEMU, {"mxcsr": 0, "x87_fcw": 0}),  # up to 0.0.9
    "qemu-amdese-2022": (VMMType.QEMU, {"mxcsr": 0, "x87_fcw": 0}),  # up to 0.0.4
    "ec2-2026": (VMMType.ec2, {}),
    "ec2-2023": (VMMType.ec2, {"rdx": 0}),  # 0.0.6 to 0.0.12
    "gce-v1": (VMMType.gce, {}),
}


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_profile_of_the_data_folder_is_complete(name: str) -> None:
    profile = PROFILES[name]
    assert profile.name == name
    assert profile.wire.title
    assert profile.wire.validity.strip()
    assert profile.wire.evidence
    assert profile.wire.revision >= 1
    assert set(profile.technologies) <= set(technologies())
    assert profile.text == (DATA / "vmm" / f"{name}.toml").read_text(encoding="utf-8")


def test_every_specified_profile_exists() -> None:
    assert set(PROFILES) == {*PEER_PAGES, "buildigvm"}
    assert {name for name, profile in PROFILES.items() if not profile.measures_signature} == {
        "ec2-2023",
        "ec2-2026",
        "gce-v1",
        "buildigvm",
    }
    assert {name for name, profile in PROFILES.items() if "sev-es" in profile.technologies} == {
        "qemu-kvm-init2",
        "qemu-kvm-legacy",
        "buildigvm",
    }


@pytest.mark.parametrize("name", sorted(PEER_PAGES))
def test_vmsa_pages_match_sev_snp_measure(name: str) -> None:
    vmm, older = PEER_PAGES[name]
    signature = EPYC if PROFILES[name].measures_signature else VcpuSignature(0)
    for eip in (RESET_EIP, 0x0080B004):
        for features in (0, 1, 0x21):
            area = VMSA.build_save_area(eip, features, signature.value, vmm)
            for field, value in older.items():
                setattr(area, field, value)
            page = PROFILES[name].vmsa_page(eip, signature, features, bsp=eip == RESET_EIP)
            assert page == bytes(area)
            assert len(page) == ctypes.sizeof(area)


def test_page_types_and_order_are_as_specified() -> None:
    orders = {name: profile.snp for name, profile in PROFILES.items() if name in PEER_PAGES}
    assert all(order and order.vmsa_gpa == 0xFFFFFFFFF000 for order in orders.values())
    after = {name for name, order in orders.items() if order and order.hashes_after_firmware}
    last = {name for name, order in orders.items() if order and order.cpuid_last}
    assert (after, last) == ({"qemu-amdese-2022"}, {"ec2-2023", "ec2-2026"})
    for name, order in orders.items():
        assert order
        memory = PageType.UNMEASURED if name == "gce-v1" else PageType.ZERO
        expected = {
            SectionType.SNP_SEC_MEM: memory,
            SectionType.SNP_SECRETS: PageType.SECRETS,
            SectionType.CPUID: PageType.CPUID,
            SectionType.SVSM_CAA: PageType.ZERO,
            SectionType.SNP_KERNEL_HASHES: PageType.ZERO,
        }
        if name == "qemu-amdese-2022":
            del expected[SectionType.SVSM_CAA], expected[SectionType.SNP_KERNEL_HASHES]
        assert order.page_types == expected


@pytest.mark.parametrize(
    ("right", "wrong", "parts"),
    [
        ('name = "qemu-kvm-init2"', "", ["missing required field `name`"]),
        ("revision = 1", 'revision = "1"', ["$.revision"]),
        ("revision = 1", "revision = 1\nversion = 2", ["unknown field `version`"]),
        ("evidence = [", "evidence = [1,", ["$.evidence[0]"]),
        ("es = { attrib", "es = { atrib", ["unknown field `atrib`", "$.vmsa.segments"]),
        ("[vmsa.registers]", "[vmsa.register]", ["register", "$.vmsa"]),
        ('rdx = "vcpu-signature"', 'rdx = "vcpu"', ["vcpu", "$.vmsa.registers"]),
        ('cpuid = "in-place"', 'cpuid = "first"', ["first", "$.snp.cpuid"]),
        ('kernel_hashes = "in-section"', "", ["missing required field `kernel_hashes`", "$.snp"]),
        ("[vmsa.registers]", "[vmsa.registers]\neax = 1", ["'qemu-kvm-init2'", "section 'eax'"]),
        ("es = { attrib", "xs = { attrib", ["'qemu-kvm-init2'", "section 'xs'"]),
        ("cs = { selector", "# cs = { selector", ["'qemu-kvm-init2'", "'cs'"]),
        ("mxcsr = 0x1f80", "mxcsr = 0x1_0000_0000", ["'qemu-kvm-init2'", "a value does not fit its field"]),
        ("mxcsr = 0x1f80", "mxcsr = -1", ["'qemu-kvm-init2'", "a value does not fit its field"]),
        ('SVSM_CAA = "ZERO"', 'SVSM_AAC = "ZERO"', ["'qemu-kvm-init2'", "section 'SVSM_AAC'"]),
        ('SVSM_CAA = "ZERO"', 'SVSM_CAA = "ONE"', ["'ONE'", "$.snp.page_types"]),
        ('"sev-es", "sev-snp"', '"sev-es"', ["the table [snp] and technology sev-snp need each other"]),
        ("[vmsa.segments]", "[vmsa.segments", ["VMM profile:"]),
    ],
)
def test_the_error_names_the_path_of_the_invalid_value(right: str, wrong: str, parts: list[str]) -> None:
    assert right in QEMU
    with pytest.raises(MalformedRecord) as caught:
        VmmProfile.parse(QEMU.replace(right, wrong, 1))
    assert str(caught.value).startswith("VMM profile")
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "right", "wrong"),
    [
        (QEMU, "vmsa_gpa = 0xfffffffff000", "vmsa_gpa = -4096"),
        (QEMU, "vmsa_gpa = 0xfffffffff000", "vmsa_gpa = 0x1_0000_0000_0000_0000"),
        (QEMU, "[vmsa.registers]", '[vmsa.registers]\ncpl = "vcpu-signature"'),
        (EC2, "attrib = 0x9b", "attrib = 0x1009b"),  # of the APs: the BSP has its own cs
        (QEMU, 'CPUID = "CPUID"', 'CPUID = "NORMAL"'),
        (QEMU, 'SNP_SEC_MEM = "ZERO"', 'SNP_SEC_MEM = "NORMAL"'),
        (QEMU, 'SVSM_CAA = "ZERO"', 'SVSM_CAA = "VMSA"'),
        (QEMU, 'cpuid = "in-place"', 'cpuid = "in-place"\nsections = "buildigvm"'),
        (BUILDIGVM, 'SNP_SEC_MEM = "NORMAL"', 'SNP_SEC_MEM = "ZERO"'),
        (BUILDIGVM, 'SNP_SEC_MEM = "NORMAL"', ""),
        (BUILDIGVM, 'sections = "buildigvm"', ""),
    ],
)
def test_values_that_could_not_be_measured_are_refused_when_parsed(text: str, right: str, wrong: str) -> None:
    """No value is too wide for its field, and no page without contents gets a type that needs them."""
    assert right in text
    with pytest.raises(MalformedRecord):
        VmmProfile.parse(text.replace(right, wrong, 1))


@pytest.mark.parametrize("value", ["[" * 20_000, "1" * 5_000], ids=["deep", "long"])
def test_text_that_exceeds_limits_of_the_decoder_is_refused(value: str) -> None:
    with pytest.raises(MalformedRecord):
        VmmProfile.parse(f"revision = {value}")


def test_a_profile_without_snp_launches_only_sev_es() -> None:
    text = QEMU[: QEMU.index("[snp]")].replace('"sev-es", "sev-snp"', '"sev-es"')
    profile = VmmProfile.parse(text)
    assert profile.snp is None
    assert profile.technologies == ["sev-es"]
    with pytest.raises(MalformedRecord, match="need each other"):
        VmmProfile.parse(text.replace('"sev-es"', '"sev-snp"'))


def test_profiles_compare_by_identity() -> None:
    """The same text is the same profile: pages that were computed for one catalog are those of the next."""
    assert VmmProfile.parse(QEMU) is VmmProfile.parse(QEMU)
    assert VmmProfile.parse(QEMU) != VmmProfile.parse(f"{QEMU}\n")


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 2**64 - 1), st.booleans())
def test_an_update_contains_the_vmsa_page(eip: int, signature: int, features: int, bsp: bool) -> None:
    profile, vcpu = PROFILES["qemu-kvm-init2"], VcpuSignature(signature)
    update = profile.vmsa_update(eip, vcpu, features, bsp=bsp, gpa=0x1000)
    assert (update.page_type, update.gpa, update.size) == (PageType.VMSA, 0x1000, 4096)
    assert update.data == profile.vmsa_page(eip, vcpu, features, bsp=bsp)
    assert update.data[0x310:0x318] == signature.to_bytes(8, "little")
    assert update.data[0x3B0:0x3B8] == features.to_bytes(8, "little")


@pytest.mark.parametrize("register", ["rip", "sev_features"])
def test_registers_that_the_launch_determines_are_refused(register: str) -> None:
    with pytest.raises(MalformedRecord, match=f"{register} must not be set"):
        VmmProfile.parse(QEMU.replace("[vmsa.registers]", f"[vmsa.registers]\n{register} = 1"))
