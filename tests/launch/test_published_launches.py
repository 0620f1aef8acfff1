"""Launches of real hardware, reproduced from what their platforms publish: no image, and no SHA-256 of one.

Each launch digest is in an attestation report of the platform, or was published by it. Its source is beside it.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from catalog.abi.kernel_hashes import KernelHashes, hash_cmdline
from catalog.firmware.build import FirmwareBuild
from catalog.launch.point import VcpuPoint
from catalog.launch.technology import measure, technologies
from catalog.launch.vcpu_types import VcpuTypes
from catalog.spec import embedded

S1 = """
    { gpa = 0x800000, size = 0x9000, type = "SNP_SEC_MEM" },
    { gpa = 0x80a000, size = 0x3000, type = "SNP_SEC_MEM" },
    { gpa = 0x80d000, size = 0x1000, type = "SNP_SECRETS" },
    { gpa = 0x80e000, size = 0x1000, type = "CPUID" },
    { gpa = 0x80f000, size = 0x1000, type = "SVSM_CAA" },
    { gpa = 0x811000, size = 0xf000, type = "SNP_SEC_MEM" },
    { gpa = 0x810000, size = 0x1000, type = "SNP_KERNEL_HASHES" },
"""
A2 = """
    { gpa = 0x800000, size = 0x9000, type = "SNP_SEC_MEM" },
    { gpa = 0x80a000, size = 0x3000, type = "SNP_SEC_MEM" },
    { gpa = 0x80d000, size = 0x1000, type = "SNP_SECRETS" },
    { gpa = 0x80e000, size = 0x1000, type = "CPUID" },
    { gpa = 0x80f000, size = 0x1000, type = "SNP_KERNEL_HASHES" },
    { gpa = 0x810000, size = 0x10000, type = "SNP_SEC_MEM" },
"""
EC2 = """
    { gpa = 0x800000, size = 0x9000, type = "SNP_SEC_MEM" },
    { gpa = 0x80a000, size = 0x3000, type = "SNP_SEC_MEM" },
    { gpa = 0x80d000, size = 0x1000, type = "SNP_SECRETS" },
    { gpa = 0x80e000, size = 0x1000, type = "CPUID" },
    { gpa = 0x80f000, size = 0x11000, type = "SNP_SEC_MEM" },
"""


def record(name: str, baseline: str, sections: str, area: int | None) -> FirmwareBuild:
    """A record of what is published: the SNP state after the image, the sections, the reset address, the table."""
    hashes_area = "" if area is None else f"hashes_area = {{ gpa = {area:#x} }}\n"
    return FirmwareBuild.parse(
        f'name = "{name}"\n[component]\nsnp_baseline = "{baseline}"\nreset_vector = 0x80b004\n'
        f"{hashes_area}sections = [{sections}]\n"
    )


DSTACK = record(
    "dstack",  # Dstack-TEE/dstack, dstack-mr/src/sev.rs
    "ffb57e393469a497c0e3b07bd1c97d8611e555f464d14491837665893ac642b263a71f9507ff100a847897fe0c3f8c6f",
    S1,
    0x810C00,
)
SECRETVM = record(
    "SecretVM",  # scrtlabs/secretvm-verify, artifacts_registry/sev.json
    "c581d3eaebf2941beb1f757de97497279b953a6999921cab05f9ed5268f9c0505d741f4021b5a3995c9893851cde190e",
    S1,
    0x810C00,
)
HYPERBEAM = record(
    "HyperBEAM",  # permaweb/HyperBEAM, src/dev_snp.erl
    "b8c5d4082d5738db6b0fb0294174992738645df70c44cdecf7fad3a62244b788e7e408c582ee48a74b289f3acec78510",
    A2,
    0x80FC00,
)
AWS = record(
    "EC2",  # virtee/sev-snp-measure-go, guest/testdata/ovmf_img_2.json
    "2027a27bb9f7acfd280e4c7bd68a73973b94bf0756e5b282e004b9395f597b8d0eb4defa7d8f6549375aa4d2b146f0f3",
    EC2,
    None,
)


def kernel(sha256: str, initrd: str, cmdline: bytes) -> KernelHashes:
    return KernelHashes(bytes.fromhex(sha256), bytes.fromhex(initrd), cmdline)


HYPERBEAM_KERNEL = "69d0cd7d13858e4fcef6bc7797aebd258730f215bc5642c4ad8e4b893cc67576"
HYPERBEAM_NEWER = kernel(
    HYPERBEAM_KERNEL,
    "02e28b6c718bf0a5260d6f34d3c8fe0d71bf5f02af13e1bc695c6bc162120da1",
    bytes.fromhex("56e1e5190622c8c6b9daa4fe3ad83f3831c305bb736735bf795b284cb462c9e7"),
)


class Launch(NamedTuple):
    """A launch and its published digest."""

    build: FirmwareBuild
    kernel: KernelHashes | None
    vmm: str
    vcpus: int
    digest: str


LAUNCHES = {
    "dstack, report verified up to ARK-Milan": Launch(
        DSTACK,
        kernel(
            "dd9ea274ce9a07090b22e8284b0c841b65c021c2d15ca57d0f16731089dd226c",
            "5f844c4a2ca5a3d0711b3db38293b21ba929bb8e0b3c5bc1a779a57f69221c19",
            hash_cmdline(
                "console=ttyS0 init=/init panic=1 net.ifnames=0 biosdevname=0 mce=off oops=panic pci=noearly "
                "pci=nommconf random.trust_cpu=y random.trust_bootloader=n tsc=reliable no-kvmclock dstack.rootfs_hash="
                "ca5adaef0ac3a36108035925763b48a5818f634e700fbaab561d419fd30d7121 dstack.rootfs_size=490713088"
            ),
        ),
        "qemu-kvm-init2",
        2,
        "7f51e17f72a04d5422cb2c00998166536019a217376f3aa45a630e59c805a599847ff250dbffcd07e1ba639771d6f05d",
    ),
    "SecretVM v0.0.25": Launch(
        SECRETVM,
        kernel(
            "98c41a86a1ba6a9a9d772ae0b028835091b4930f79ea509b595d2080d7df90c2",
            "b30910955a1aa138a855f115deb5fbd0a4d3edbb43dc1729fed0d373c477e0a9",
            hash_cmdline(
                "console=ttyS0 loglevel=7 "
                "docker_compose_hash=e9e8dce6a6a2ccc41b77f47e3891e22cfd9347a6d088e0190014f61cfc883cb7 "
                "rootfs_hash=c642e722d7e138e53144149588e899c56f2ceb57fbaffe46cd7699ebab64d1e9"
            ),
        ),
        "qemu-kvm-init2",
        1,
        "4f2f8168a6e12c416f24fc0dab99a3eac9403637640d497a781fac269e3e3dc8ac76d2fd2bd8b13b02ec77a7c6002c7b",
    ),
    "HyperBEAM, test/snp_attestation": Launch(
        HYPERBEAM,
        kernel(
            HYPERBEAM_KERNEL,
            "853ebf56bc6ba5f08bd5583055a457898ffa3545897bee00103d3066b8766f5c",
            bytes.fromhex("6cb8a0082b483849054f93b203aa7d98439736e44163d614f79380ca368cc77e"),
        ),
        "qemu-kvm-init2",
        1,
        "e14c88108a2d3b9864b33790dd6275e346b077271be714f6387cc6a4faf98da97e101b34f19a59e49707523990c3156c",
    ),
    "HyperBEAM, test/admissible-report.eterm": Launch(
        HYPERBEAM,
        kernel(
            HYPERBEAM_KERNEL,
            "544045560322dbcd2c454bdc50f35edf0147829ec440e6cb487b4a1503f923c1",
            bytes.fromhex("95a34faced5e487991f9cc2253a41cbd26b708bf00328f98dddbbf6b3ea2892e"),
        ),
        "qemu-kvm-init2",
        32,
        "87a66765a6781512346ecb47511165c26b6da3e729973d9710a0c567c74aa657823af0c162d516f8430054ffa32ec249",
    ),
    "HyperBEAM, src/dev_snp_nif.erl": Launch(
        HYPERBEAM,
        HYPERBEAM_NEWER,
        "qemu-kvm-init2",
        32,
        "c2648349062ecc4d8cdeb41ca2eac99c324781a9400ccf1305ebf78328cce4e6d134e9fca2096f5739c56da5a16a353f",
    ),
    "HyperBEAM, docs": Launch(
        HYPERBEAM,
        HYPERBEAM_NEWER,
        "qemu-kvm-init2",
        1,
        "2e181b83fa677847f911b6a3d6bbb794816eed15c76388c15678d277e624ec3d2322bc99dda2dd92ce183967e36a3296",
    ),
    "EC2, test data of edgelesssys/constellation": Launch(
        AWS,
        None,
        "ec2-2023",
        2,
        "c2c84b9364fc9f0f54b04534768c860c6e0e386ad98b96e8b98eca46ac8971d05c531ba48373f054c880cfd1f4a0a84e",
    ),
    "EC2, aws/uefi issue 10": Launch(
        AWS,
        None,
        "ec2-2023",
        4,
        "25ac810f5c4750890fb1a158f097962e04d4d7fb640d1d08a99829cf4a70543a47cc6fb192bbe90aa713142361a66155",
    ),
}


@pytest.mark.parametrize("name", LAUNCHES)
def test_the_digest_of_a_real_launch_follows_from_what_is_published(name: str) -> None:
    launch = LAUNCHES[name]
    profile, types = embedded.profile_named(launch.vmm), VcpuTypes.parse(embedded.vcpu_types_text())
    signature = types.signature("EPYC-v4") if profile.measures_signature else None
    point = VcpuPoint(launch.kernel, profile, signature, 1, launch.vcpus)
    assert measure(technologies()["sev-snp"], launch.build.image, point).hex() == launch.digest
