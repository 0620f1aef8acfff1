"""A published catalog whose launch digests differ in what speaks against their export."""

from __future__ import annotations

from pathlib import Path

from catalog.build.builder import BuildResult
from catalog.spec import embedded
from tests.support.catalogs import all_digests, build, digest_with
from tests.support.endorsed_catalogs import DOCUMENT_SHA256, with_endorsed
from tests.support.endorsed_digests import endorsed, listed
from tests.support.partly_known import write_partly_known
from tests.support.published_logs import Place, cosigned_today, revoke

SPEC = """
name = "exportable"
firmware = { builds = [
    "sid/ovmf-amdsev/OVMF.amdsev.fd", "sid/ovmf-generic/OVMF.fd", "sid/ovmf-generic/OVMF_CODE_4M.fd",
    "dstack/ovmf", "aws-ec2/ovmf_img_1", "bookworm/ovmf/OVMF_CODE.fd", "sid/ovmf-inteltdx/OVMF.inteltdx.ms.fd",
] }
kernel_hashes = { tables = ["none", "debian-13-cloud-6.12.107"] }
imports = { files = ["imports/*.toml"] }

[technologies.sev]

[technologies.sev-snp]
vmm = ["qemu-kvm-init2", "ec2-2026", "qemu-amdese-2022", "qemu-kvm-legacy"]
vcpu_signatures = ["EPYC-v4"]
sev_features = [1]
vcpus = ["1-4"]

[technologies.tdx]
vmm = ["qemu-tdx", "gce-tdx"]
"""
ENDORSED, REPORTED, WITHDRAWN = "5a" * 48, "5b" * 48, "5c" * 48
"""Launch digests that no row has: endorsed, seen in public, and endorsed by somebody whose endorsement is revoked."""


def exportable(folder: Path) -> tuple[BuildResult, Place]:
    """The catalog, and a log of it.

    The log revokes rows with 2 vCPUs, one of two VMM profiles that launch the same with 1, and an endorsement of
    the row of `amdsev_digest` with 4; it deprecates rows with 3.
    """
    made = build(write_partly_known(folder, spec=SPEC), folder / "built")
    records = [
        endorsed(amdsev_digest(made, vcpus=4), document_sha256=DOCUMENT_SHA256, feed="old"),
        endorsed(ENDORSED, document_sha256=DOCUMENT_SHA256),
        listed(REPORTED, scheme="reported"),
        endorsed(WITHDRAWN, document_sha256=DOCUMENT_SHA256, feed="old"),
    ]
    built = with_endorsed(made, folder / "catalog", records)
    place = cosigned_today(folder / "published", built)
    place.publish(
        revoke("revoked", vcpus=2),
        revoke("revoked", vmm="qemu-amdese-2022", vcpus=1),
        revoke("deprecated", vcpus=3),
        revoke("revoked", endorser_feed="old"),
    )
    return built, place


def every_digest(built: BuildResult) -> list[str]:
    """All launch digests of the catalog, of rows and endorsed."""
    return [*dict.fromkeys(digest.hex() for _, digest in all_digests(built)), ENDORSED, REPORTED, WITHDRAWN]


def inteltdx_digest(built: BuildResult) -> str:
    """The MRTD of OVMF.inteltdx.ms.fd under QEMU, which may be exported."""
    sha256 = embedded.builds()["sid/ovmf-inteltdx/OVMF.inteltdx.ms.fd"].component.key
    return digest_with(built, technology="tdx", firmware_sha256=sha256, vmm="qemu-tdx")


def amdsev_digest(built: BuildResult, vcpus: int = 1) -> str:
    """The launch digest of OVMF.amdsev.fd with kernel hashes under QEMU, which may be exported."""
    sha256 = embedded.builds()["sid/ovmf-amdsev/OVMF.amdsev.fd"].component.key
    table = embedded.kernels()["debian-13-cloud-6.12.107"].hashes.table_sha256
    return digest_with(
        built,
        technology="sev-snp",
        firmware_sha256=sha256,
        kernel_hashes_sha256=table,
        vmm="qemu-kvm-init2",
        vcpus=vcpus,
    )
