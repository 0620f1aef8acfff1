"""VmmProfile: the files of data/vmm/, and a wrong file is refused by the path of what is wrong."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sevsnpmeasure.vmm_types import VMMType
from sevsnpmeasure.vmsa import VMSA

from catalog.abi.page_info import PageType
from catalog.abi.vcpu import VcpuSignature
from catalog.errors import MalformedRecord
from catalog.firmware.ovmf import SectionType
from catalog.launch.profile import RESET_EIP, VmmProfile
from catalog.launch.technology import technologies
from tests.support.profiles import DATA, EPYC, PROFILES

QEMU = (DATA / "vmm" / "qemu-kvm-init2.toml").read_text(encoding="utf-8")
EC2 = (DATA / "vmm" / "ec2-2026.toml").read_text(encoding="utf-8")

PEER_PAGES = {
    # profile: VMM of sev-snp-measure 0.0.13, and what an older version of it has different
    "qemu-kvm-init2": (VMMType.QEMU, {}),
    "qemu-kvm-legacy": (VMMType.QEMU, {"mxcsr": 0, "x87_fcw": 0}),  # as up to 0.0.9
    "qemu-amdese-2022": (VMMType.QEMU, {"mxcsr": 0, "x87_fcw": 0}),  # as up to 0.0.4
    "ec2-2026": (VMMType.ec2, {}),
    "ec2-2023": (VMMType.ec2, {"rdx": 0}),  # as 0.0.6 to 0.0.12
    "gce-v1": (VMMType.gce, {}),
}


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_profile_of_the_data_folder_is_whole(name: str) -> None:
    profile = PROFILES[name]
    assert profile.name == name
    assert profile.wire.title
    assert profile.wire.validity.strip()
    assert profile.wire.evidence
    assert profile.wire.revision >= 1
    assert set(profile.technologies) <= set(technologies())
    assert profile.text == (DATA / "vmm" / f"{name}.toml").read_text(encoding="utf-8")


def test_every_profile_of_the_specification_is_there() -> None:
    assert set(PROFILES) == set(PEER_PAGES)
    assert {name for name, profile in PROFILES.items() if not profile.measures_signature} == {
        "ec2-2023",
        "ec2-2026",
        "gce-v1",
    }
    assert {name for name, profile in PROFILES.items() if "sev-es" in profile.technologies} == {
        "qemu-kvm-init2",
        "qemu-kvm-legacy",
    }


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_pages_are_those_of_the_peer(name: str) -> None:
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


def test_page_types_and_order_of_the_specification() -> None:
    orders = {name: profile.snp for name, profile in PROFILES.items()}
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
        ("[vmsa.registers]", "[vmsa.registers]\neax = 1", ["'qemu-kvm-init2'", "'eax' is not known"]),
        ("es = { attrib", "xs = { attrib", ["'qemu-kvm-init2'", "'xs' is not known"]),
        ("cs = { selector", "# cs = { selector", ["'qemu-kvm-init2'", "'cs'"]),
        ("mxcsr = 0x1f80", "mxcsr = 0x1_0000_0000", ["'qemu-kvm-init2'", "does not fit"]),
        ("mxcsr = 0x1f80", "mxcsr = -1", ["'qemu-kvm-init2'", "does not fit"]),
        ('SVSM_CAA = "ZERO"', 'SVSM_AAC = "ZERO"', ["'qemu-kvm-init2'", "'SVSM_AAC' is not known"]),
        ('SVSM_CAA = "ZERO"', 'SVSM_CAA = "ONE"', ["'ONE'", "$.snp.page_types"]),
        ('"sev-es", "sev-snp"', '"sev-es"', ["sev-snp and the table [snp] go together"]),
        ("[vmsa.segments]", "[vmsa.segments", ["VMM profile:"]),
    ],
)
def test_a_wrong_profile_names_the_path(right: str, wrong: str, parts: list[str]) -> None:
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
        (EC2, "attrib = 0x9b", "attrib = 0x1009b"),  # of the APs: the BSP has a cs of its own
        (QEMU, 'CPUID = "CPUID"', 'CPUID = "NORMAL"'),
        (QEMU, 'SNP_SEC_MEM = "ZERO"', 'SNP_SEC_MEM = "NORMAL"'),
        (QEMU, 'SVSM_CAA = "ZERO"', 'SVSM_CAA = "VMSA"'),
    ],
)
def test_what_could_not_be_measured_is_refused_when_it_is_read(text: str, right: str, wrong: str) -> None:
    """No value is too wide for its field, and no contents are asked for where there are none."""
    assert right in text
    with pytest.raises(MalformedRecord):
        VmmProfile.parse(text.replace(right, wrong, 1))


@pytest.mark.parametrize("value", ["[" * 20_000, "1" * 5_000], ids=["deep", "long"])
def test_text_beyond_what_the_decoder_takes_is_refused(value: str) -> None:
    with pytest.raises(MalformedRecord):
        VmmProfile.parse(f"revision = {value}")


def test_a_profile_without_snp_launches_sev_es_alone() -> None:
    text = QEMU[: QEMU.index("[snp]")].replace('"sev-es", "sev-snp"', '"sev-es"')
    profile = VmmProfile.parse(text)
    assert profile.snp is None
    assert profile.technologies == ["sev-es"]
    with pytest.raises(MalformedRecord, match="go together"):
        VmmProfile.parse(text.replace('"sev-es"', '"sev-snp"'))


def test_profiles_are_equal_to_themselves_alone() -> None:
    assert VmmProfile.parse(QEMU) != VmmProfile.parse(QEMU)


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 2**64 - 1), st.booleans())
def test_an_update_holds_the_page(eip: int, signature: int, features: int, bsp: bool) -> None:
    profile, vcpu = PROFILES["qemu-kvm-init2"], VcpuSignature(signature)
    update = profile.vmsa_update(eip, vcpu, features, bsp=bsp, gpa=0x1000)
    assert (update.page_type, update.gpa, update.size) == (PageType.VMSA, 0x1000, 4096)
    assert update.data == profile.vmsa_page(eip, vcpu, features, bsp=bsp)
    assert update.data[0x310:0x318] == signature.to_bytes(8, "little")
    assert update.data[0x3B0:0x3B8] == features.to_bytes(8, "little")


@pytest.mark.parametrize("register", ["rip", "sev_features"])
def test_what_follows_from_the_launch_is_not_given(register: str) -> None:
    with pytest.raises(MalformedRecord, match=f"{register} follows from the launch"):
        VmmProfile.parse(QEMU.replace("[vmsa.registers]", f"[vmsa.registers]\n{register} = 1"))
