"""Launches of IGVM files with a number and type of vCPUs: what is measured, digests, chains and VMSA pages."""

from __future__ import annotations

import hashlib

import pytest

from catalog.abi.vcpu import VcpuSignature
from catalog.abi.vmsa_layout import REGISTERS
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.igvm_types import PlatformType
from catalog.launch.chain import fold_chain
from catalog.launch.igvm.igvm_launch import IgvmLaunch
from catalog.launch.igvm.reduce_igvm import reduce_igvm
from catalog.launch.technology import technologies
from catalog.spec import embedded
from tests.support.igvm_builder import context, igvm_bytes, page, platform

ALL = [(one.igvm, one.technologies) for one in embedded.loaders().values() if one.igvm]
MILAN = VcpuSignature(0xA00F11)
QEMU = embedded.loaders()["qemu-igvm"]
SPEC = embedded.loaders()["igvm-spec"]


def vmsa(number: int, features: int) -> bytes:
    made = bytearray(4096)
    made[REGISTERS["rip"][0]], made[REGISTERS["sev_features"][0]] = number, features
    made[REGISTERS["efer"][0] + 1], made[REGISTERS["rflags"][0]] = 0x10, 2
    return bytes(made)


def launch(
    loader: str, vcpus: tuple[int, ...], kind: int = PlatformType.SEV_SNP, technology: str = "sev-snp"
) -> IgvmLaunch:
    """A file of one page with contexts for these vCPUs, each another page."""
    contexts = [context(number=2 + number, vcpu=vcpu) for number, vcpu in enumerate(vcpus)]
    data = igvm_bytes(platform(kind), page(0x1000, 1), *contexts, pages=1 + len(vcpus))
    for number in range(len(vcpus)):
        data = data.replace(bytes([2 + number]) * 4096, vmsa(2 + number, technology == "sev-snp"))
    return IgvmLaunch(reduce_igvm(IgvmFile.parse(data), ALL), technology, embedded.loaders()[loader])


@pytest.mark.parametrize("vcpus", [(), (0,), (0, 1, 2), (0, 2), (3,)])
@pytest.mark.parametrize("technology", ["sev-snp", "sev-es"])
def test_a_chain_gives_the_digest_of_each_number_of_vcpus(vcpus: tuple[int, ...], technology: str) -> None:
    kind = PlatformType.SEV_SNP if technology == "sev-snp" else PlatformType.SEV_ES
    launched = launch("qemu-igvm", vcpus, kind, technology)
    assert launched.blocker is None
    least, size = launched.vcpus_of_contexts, technologies()[technology].digest_size
    counts = [least, least + 1, least + 5]
    assert launched.vcpus_before == least - 1
    made = fold_chain(technologies()[technology], launched.chain(MILAN), [n - launched.vcpus_before for n in counts])
    for at, count in enumerate(counts):
        signature = MILAN if launched.uses_signature(count) else None
        assert launched.point_blocker(count, signature) is None
        assert bytes(made[at * size : (at + 1) * size]) == launched.digest(count, signature).value
    assert len({bytes(made[at : at + size]) for at in range(0, len(made), size)}) == 3


def test_what_is_measured_is_given_and_nothing_else() -> None:
    ours, theirs = launch("qemu-igvm", (0, 1)), launch("igvm-spec", (0, 1))
    assert theirs.point_blocker(None, None) is None
    assert theirs.point_blocker(2, None) == "igvm-spec does not measure the number of vCPUs"
    assert theirs.point_blocker(None, MILAN) == "igvm-spec does not measure the vCPU signature of this launch"
    assert ours.point_blocker(None, None) == "qemu-igvm measures the number of vCPUs"
    assert ours.point_blocker(1, None) == "the file has a context for vCPU 1, and the guest has fewer vCPUs"
    assert ours.point_blocker(2, MILAN) == "qemu-igvm does not measure the vCPU signature of this launch"
    assert ours.point_blocker(3, None) == "qemu-igvm measures the vCPU signature of this launch"
    image = IgvmLaunch(ours.image, "sev-snp", embedded.profiles()["qemu-kvm-init2"])
    assert image.blocker == "qemu-kvm-init2 launches firmware images, and this is an IGVM file"


def test_vmsa_pages_are_known_where_they_are_the_same_for_all_aps() -> None:
    def sha256(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    reset = sha256(QEMU.vmsa_page(0xFFFFFFF0, MILAN, 1, bsp=True))
    first, second, third = (sha256(vmsa(number, 1)) for number in (2, 3, 4))
    assert launch("qemu-igvm", (0,)).vmsa_hashes(1, None) == (first, None)
    assert launch("qemu-igvm", (0,)).vmsa_hashes(2, MILAN) == (first, reset)
    assert launch("qemu-igvm", ()).vmsa_hashes(2, MILAN) == (reset, reset)
    assert launch("qemu-igvm", (0, 1)).vmsa_hashes(3, MILAN) == (first, None)
    assert launch("igvm-spec", (0, 1)).vmsa_hashes(None, None) == (first, second)
    assert launch("igvm-spec", (0, 1, 2)).vmsa_hashes(None, None) == (first, None)
    assert launch("igvm-spec", ()).vmsa_hashes(None, None) == (None, None)
    assert third != second
    assert launch("qemu-igvm", (), PlatformType.SEV, "sev").vmsa_hashes(None, None) == (None, None)
    assert SPEC.igvm
