"""The table [igvm] of a profile is read strictly."""

from __future__ import annotations

import pytest

from catalog.abi.vcpu import VcpuSignature
from catalog.errors import MalformedRecord
from catalog.launch.point import VcpuPoint
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import technology_named
from catalog.spec import embedded

QEMU = embedded.loaders()["qemu-igvm"].text
SPEC = embedded.loaders()["igvm-spec"].text


def test_a_loader_is_no_vmm_for_firmware_images() -> None:
    assert not embedded.loaders().keys() & embedded.profiles().keys()
    assert all(one.igvm for one in embedded.loaders().values())
    assert not embedded.loaders()["igvm-spec"].measures_signature
    assert embedded.loaders()["qemu-igvm"].measures_signature


def test_a_loader_launches_no_firmware_image() -> None:
    point = VcpuPoint(None, embedded.loaders()["qemu-igvm"], VcpuSignature(0xA00F11), 1, 2)
    blocker = technology_named("sev-snp").vmm_blocker(point)
    assert blocker == "qemu-igvm launches IGVM files, and this is a firmware image"


@pytest.mark.parametrize(
    ("text", "old", "new", "why"),
    [
        (SPEC, 'order = "file"', 'order = "alphabet"', "invalid enum value 'alphabet'"),
        (QEMU, '"PAGE_DATA"', '"PAGES"', "unknown name 'PAGES'"),
        (QEMU, '"mxcsr"', '"msr"', "unknown field of a VMSA 'msr'"),
        (QEMU, "vmsa_gpa = 0xfffffffff000\n", "", "VMSAs at the end and vmsa_gpa need each other"),
        (SPEC, "[igvm]\n", "[igvm]\nvmsa_gpa = 0x1000\n", "VMSAs at the end and vmsa_gpa need each other"),
        (QEMU, '"reset-state"', '"not-measured"', "[vmsa] and vCPUs in reset state need each other"),
        (SPEC, 'vcpus_without_context = "not-measured"', 'vcpus_without_context = "reset-state"', "need each other"),
        (SPEC, SPEC[SPEC.index("[igvm]") :], "", "and need [vmsa]"),
        (SPEC, "[igvm]\n", '[igvm]\nother_vmsa_fields = "of-reset-state"\n', "needs vmsa_fields and vmsa_gpa"),
        (QEMU, "rflags = 0x2 }\noverlaps", "flags = 0x2 }\noverlaps", "unknown field of a VMSA 'flags'"),
    ],
)
def test_a_broken_table_is_refused(text: str, old: str, new: str, why: str) -> None:
    assert old in text
    with pytest.raises(MalformedRecord) as found:
        VmmProfile.parse(text.replace(old, new))
    assert why in str(found.value)
