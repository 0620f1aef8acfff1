"""A catalog of what is known in part: firmware without a file hash, a command line by its hash alone, and a base."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from catalog.abi.kernel_hashes import KernelHashes, hash_cmdline
from catalog.abi.vcpu import VcpuSignature
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import OvmfImage
from catalog.rows.launch_config import LaunchConfig
from catalog.spec import embedded
from tests.support.samples import whole_image, write_spec
from tests.support.vcpu_chains import EPYC

TRUE_IMAGE = whole_image(seed=3)
"""The image that the record `published` is of; the catalog knows nothing of it but what SEV-SNP needs."""

BASE_IMAGE = whole_image(seed=5)
"""The image that the base was launched with; the catalog knows nothing of it."""

COMMAND_LINE = "console=ttyS0 quiet panic=1"
"""Only its hash is in the catalog."""

KERNEL, INITRD = bytes.fromhex("11" * 32), bytes.fromhex("22" * 32)

BASE_VCPUS = 2

SPEC = f"""
name = "partly-known"

[firmware]
files = ["published.toml", "whole.fd"]

[kernel_hashes]
tables = ["none", "hashed"]

[[kernel_hashes.define]]
name = "hashed"
kernel_sha256 = "{KERNEL.hex()}"
initrd_sha256 = "{INITRD.hex()}"
append_sha256 = "{hash_cmdline(COMMAND_LINE).hex()}"

[imports]
files = ["imports/*.toml"]

[technologies.sev]

[technologies.sev-snp]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = ["EPYC"]
sev_features = [1]
vcpus = ["1-4"]
"""


def component(image: bytes) -> FirmwareComponent:
    return FirmwareComponent.from_image(OvmfImage.parse(image))


PART = replace(component(TRUE_IMAGE), sha256=None, sha384=None, size=None, sha256_midstate=None)
"""What the record knows."""

TABLE = KernelHashes(KERNEL, INITRD, hash_cmdline(COMMAND_LINE))


def digest(image: bytes, vcpus: int, table: KernelHashes | None = None) -> str:
    """The launch digest under SEV-SNP, from the whole image."""
    vmm = embedded.profiles()["qemu-kvm-init2"]
    return LaunchConfig("sev-snp", component(image), table, vmm, VcpuSignature(EPYC), 1, vcpus).digest().hex()


BASE = digest(BASE_IMAGE, BASE_VCPUS)

BASE_RECORD = f"""
format = "ldcat-import/1"

[document]
form = "contrast"
checked = "none"
origin = "https://contrast.example/v1"

[[base]]
name = "contrast/v1"
launch_digest = "{BASE}"
technology = "sev-snp"
endorser = {{ scheme = "contrast", id = "https://contrast.example/v1", svn = 3 }}
vcpus = {BASE_VCPUS}
reset_vector = {PART.reset_vector:#x}
vcpu_type = "EPYC"
vmm = "qemu-kvm-init2"
sev_features = 0x1
"""

UNKNOWN = {
    name: kind(data).digest()
    for what, data in {
        "true image": TRUE_IMAGE,
        "image of the base": BASE_IMAGE,
        "command line": COMMAND_LINE.encode(),
    }.items()
    for name, kind in {f"{what}, SHA-256": hashlib.sha256, f"{what}, SHA-384": hashlib.sha384}.items()
} | {"SNP baseline of the base": component(BASE_IMAGE).snp_baseline}
"""Hashes that nobody but these tests knows."""

PLACEHOLDERS = {
    "zeros": bytes(32).hex(),
    "zeros, SHA-384": bytes(48).hex(),
    "nothing": hashlib.sha256(b"").hexdigest(),
    "nothing, SHA-384": hashlib.sha384(b"").hexdigest(),
    "an empty command line": hashlib.sha256(b"\0").hexdigest(),
    "a zero hash": hashlib.sha256(bytes(32)).hexdigest(),
}
"""What somebody could write in place of a hash that is not known."""


def write_partly_known(folder: Path, *, name: str = "spec.toml", spec: str = SPEC) -> Path:
    """Write the inputs of SPEC to a folder; the path of the spec."""
    (folder / "imports").mkdir(parents=True, exist_ok=True)
    (folder / "published.toml").write_text(FirmwareBuild("published", PART, None, {}).to_toml())
    (folder / "whole.fd").write_bytes(whole_image())
    (folder / "imports/contrast.toml").write_text(BASE_RECORD)
    return write_spec(folder, spec, name)
