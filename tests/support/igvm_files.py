"""A folder of IGVM files, and a spec of a catalog of all their launches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from catalog.abi.vmsa_layout import REGISTERS
from catalog.firmware.igvm.igvm_layout import SHARED, UNMEASURED
from catalog.firmware.igvm.igvm_types import HeaderType, PlatformType
from tests.support.igvm_builder import area, context, id_block, igvm_bytes, insert, page, parameter, platform, policy

KERNEL = "11" * 32

SPEC = f"""
name = "launches of IGVM files"
[firmware]
files = ["files/*.igvm"]
[kernel_hashes]
tables = ["none", "own"]
[[kernel_hashes.define]]
name = "own"
kernel_sha256 = "{KERNEL}"
append = "quiet"
[technologies.sev-snp]
vmm = ["*"]
vcpus = ["1-5"]
vcpu_signatures = ["EPYC-Milan", "EPYC-Genoa"]
[technologies.sev-es]
vmm = ["qemu-igvm"]
vcpus = ["1-3"]
vcpu_signatures = ["EPYC-Milan"]
[technologies.sev]
vmm = ["qemu-igvm"]
"""

FILES = 20


def vmsa(features: int, rip: int = 0) -> bytes:
    """A VMSA that every loader takes."""
    made = bytearray(4096)
    made[REGISTERS["sev_features"][0]], made[REGISTERS["rip"][0]] = features, rip
    made[REGISTERS["efer"][0] + 1], made[REGISTERS["rflags"][0]] = 0x10, 2
    return bytes(made)


def write_igvm_files(folder: Path) -> Path:
    """Write the spec, and the files beside it; returns the path of the spec."""
    (folder / "files").mkdir(parents=True)
    for name, data in _files():
        (folder / "files" / f"{name}.igvm").write_bytes(data)
    spec = folder / "spec.toml"
    spec.write_text(SPEC)
    return spec


def _files() -> Iterator[tuple[str, bytes]]:
    """FILES files, with the number of contexts, pages in one order or another, and what loaders differ in."""
    snp, features = PlatformType.SEV_SNP, 1
    for contexts in range(4):
        vmsas = [context(number=3 + vcpu, vcpu=vcpu) for vcpu in range(contexts)]
        yield f"contexts-{contexts}", _file(snp, features, policy(), page(0x1000, 1), page(0x3000), *vmsas)
    yield "gap", _file(snp, features, page(0x1000, 1), context(number=3), context(number=4, vcpu=2))
    bsp = context(number=3)
    yield "params", _file(snp, features, area(0x2000), page(0x1000, 1), insert(0x8000), page(0x2000, 1), bsp)
    yield "shared", _file(snp, features, page(0x1000, 1), page(0x2000, flags=SHARED), bsp)
    yield "unmeasured", _file(snp, features, page(0x1000, 1), page(0x2000, 1, flags=UNMEASURED), bsp)
    yield "unordered", _file(snp, features, page(0x5000, 1), page(0x1000), page(0x3000, 2), bsp)
    yield "secrets", _file(snp, features, page(0x1000, kind=1), page(0x2000, kind=2), page(0x3000, 1), bsp)
    yield "extended-cpuid", _file(snp, features, page(0x2000, kind=3), page(0x3000, 1), bsp)
    yield "vmsa-first", _file(snp, features, bsp, page(0x1000, 1))
    yield "madt", _file(snp, features, area(), parameter(HeaderType.MADT), insert(0x8000), page(0x1000, 1), bsp)
    yield "expected", _file(snp, features, policy(0xB0000), page(0x1000, 1), bsp, id_block(b"\5" * 48))
    yield "kernel-page", _file(snp, features, page(0x1000, 1), page(0x10000, 2), page(0x11000), bsp)
    yield "features", _file(snp, 0x21, page(0x1000, 1), bsp)
    yield "es-1", _file(PlatformType.SEV_ES, 0, page(0x1000, 1), bsp)
    yield "es-0", _file(PlatformType.SEV_ES, 0, page(0x1000, 1), page(0x2000))
    yield "sev", _file(PlatformType.SEV, 0, page(0x1000, 1), page(0x3000), page(0x2000, 2))
    yield "tdx", _file(PlatformType.TDX, 0, page(0x1000, 1))


def _file(kind: int, features: int, *headers: bytes) -> bytes:
    """A file in which the pages from the third on are VMSAs."""
    data = igvm_bytes(platform(kind), *headers, pages=6)
    for number in range(3, 7):
        data = data.replace(bytes([number]) * 4096, vmsa(features, number))
    return data
