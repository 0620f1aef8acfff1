"""Kernel hashes that Cloud Hypervisor writes into an IGVM file, against pages folded by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.page_info import INITIAL_DIGEST, PageType, contents_digest, fold, page_info_tail
from catalog.abi.vcpu import VcpuSignature
from catalog.abi.vmsa_layout import FIELDS, REGISTERS, SEGMENTS
from catalog.firmware.igvm.igvm_component import MAX_AFTER, NoKernelPage
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.launch.igvm.igvm_launch import IgvmLaunch
from catalog.launch.igvm.reduce_igvm import reduce_igvm
from catalog.spec import embedded
from tests.support import igvm_builder
from tests.support.igvm_builder import area, context, igvm_bytes, insert, page, platform

CLH = embedded.loaders()["clh-kvm-igvm"]
HASHES = KernelHashes(b"\1" * 32, b"\2" * 32, b"\3" * 32)
HASHES_PAGE = 0x10000
VMSA_GPA = 0xFFFFFFFFF000

Folded = tuple[PageType, int, bytes]
"""Type, address and contents of a page."""


def launch(*headers: bytes, hashes: KernelHashes | None = HASHES, vmsa: bytes = bytes(4096)) -> IgvmLaunch:
    """A file under Cloud Hypervisor on KVM. vmsa: page 2 of the file."""
    data = igvm_bytes(platform(), *headers, pages=3).replace(b"\2" * 4096, vmsa)
    rules = [(CLH.igvm, CLH.technologies)] if CLH.igvm else []
    return IgvmLaunch(reduce_igvm(IgvmFile.parse(data), rules), "sev-snp", CLH, hashes)


def folded(pages: Sequence[Folded]) -> bytes:
    state = INITIAL_DIGEST
    for kind, gpa, contents in pages:
        measured = (contents_digest(contents),) if kind in (PageType.NORMAL, PageType.VMSA) else ()
        state = fold(state, page_info_tail(kind, gpa, *measured))
    return state


def with_table(contents: bytes) -> bytes:
    """A page after Cloud Hypervisor wrote the block of 1024 bytes at 0xc00."""
    return contents[:0xC00] + HASHES.table().ljust(0x400, b"\0")


ONE, THREE = b"\1" * 4096, b"\3" * 4096


@pytest.mark.parametrize(
    ("headers", "pages"),
    [
        (
            (page(0x1000, 1), page(HASHES_PAGE, 3), page(0x2000), page(0x3000, kind=1), page(0x4000, 1)),
            [
                (PageType.NORMAL, 0x1000, ONE),
                (PageType.NORMAL, HASHES_PAGE, with_table(THREE)),
                (PageType.ZERO, 0x2000, b""),
                (PageType.SECRETS, 0x3000, b""),
                (PageType.NORMAL, 0x4000, ONE),
            ],
        ),
        ((page(HASHES_PAGE),), [(PageType.NORMAL, HASHES_PAGE, with_table(bytes(4096)))]),
        ((page(HASHES_PAGE, kind=1),), [(PageType.NORMAL, HASHES_PAGE, with_table(bytes(4096)))]),
        (
            (page(0x1000, 1), context(HASHES_PAGE, 2, vcpu=1)),
            [(PageType.NORMAL, 0x1000, ONE), (PageType.NORMAL, HASHES_PAGE, with_table(bytes(4096)))],
        ),
    ],
)
def test_hashes_are_written_into_the_page_of_the_file_or_after_all(
    headers: tuple[bytes, ...], pages: Sequence[Folded]
) -> None:
    launched = launch(*headers)
    assert launched.blocker is None
    assert launched.baseline == folded(pages)


def test_without_a_kernel_the_page_is_as_the_file_has_it() -> None:
    launched = launch(page(HASHES_PAGE, 3), page(0x1000), hashes=None)
    assert launched.baseline == folded([(PageType.NORMAL, HASHES_PAGE, THREE), (PageType.ZERO, 0x1000, b"")])
    assert launched.blocker is None


@pytest.mark.parametrize(
    ("headers", "found", "why"),
    [
        ((area(0x2000), insert(0xF000), page(0)), NoKernelPage.PARAMETERS, "inserts a parameter area where"),
        ((page(HASHES_PAGE, kind=2),), NoKernelPage.CPUID, "has a CPUID page where the kernel hashes go"),
        ((page(0), context(HASHES_PAGE, 1)), NoKernelPage.VMSA, "has a VMSA where the kernel hashes go"),
        (
            (page(HASHES_PAGE), *(page(0x20000 + 4096 * n) for n in range(MAX_AFTER + 1))),
            NoKernelPage.LATER_PAGES,
            "more than 4,096 pages follow the kernel hashes page",
        ),
    ],
)
def test_what_is_in_the_way_of_the_hashes(
    headers: tuple[bytes, ...], found: NoKernelPage, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(igvm_builder, "PAGES_AT", 0x40000)  # room for many headers
    launched = launch(*headers)
    assert list(launched.platform.kernel_pages.values()) == [found]
    assert why in (launched.blocker or "")
    assert replace(launched, kernel_hashes=None).blocker is None


def test_a_loader_without_kernel_hashes_refuses_them() -> None:
    spec = embedded.loaders()["igvm-spec"]
    file = IgvmFile.parse(igvm_bytes(platform(), page(0)))
    component = reduce_igvm(file, [(spec.igvm, spec.technologies)] if spec.igvm else [])
    assert component.platforms["sev-snp"].kernel_pages == {}
    launched = IgvmLaunch(component, "sev-snp", spec, HASHES)
    assert launched.blocker == "igvm-spec passes no kernel hashes with an IGVM file"
    assert "the record of the file is older than the rules of clh-kvm-igvm" in (
        IgvmLaunch(component, "sev-snp", CLH).blocker or ""
    )


def test_kvm_has_its_own_values_of_what_cloud_hypervisor_does_not_set() -> None:
    vmsa = bytearray(4096)
    vmsa[REGISTERS["rip"][0]], vmsa[SEGMENTS["cs"] + 2], vmsa[REGISTERS["sev_features"][0]] = 9, 0x9B, 0x21
    vmsa[REGISTERS["g_pat"][0]], vmsa[0xFFF], vmsa[REGISTERS["dr6"][0]] = 7, 7, 7
    vmsa[SEGMENTS["cs"] + 3], vmsa[SEGMENTS["gdtr"] + 2], vmsa[SEGMENTS["gdtr"] + 8] = 0xFC, 5, 6
    launched = launch(page(0, 1), context(0x5000, 2), hashes=None, vmsa=bytes(vmsa))
    assert (launched.blocker, launched.measures_vcpus, launched.measures_signature) == (None, True, False)
    bsp, ap = (update.data for update in launched.vmsa_updates(2, None))
    assert ap == CLH.vmsa_page(0xFFFFFFF0, VcpuSignature(0), 0x21, bsp=True)
    expected = bytearray(ap)
    for name in (*SEGMENTS, "efer", "cr0", "cr3", "cr4", "rflags", "rip", "rdx"):
        at, size = FIELDS[name]
        if name in ("gdtr", "idtr"):  # Cloud Hypervisor sets their limit and base alone
            at, size = at + 4, 12
        expected[at : at + size] = vmsa[at : at + size]
    expected[REGISTERS["efer"][0] + 1] |= 0x10  # KVM sets SVME, and bit 1 of rflags
    expected[REGISTERS["rflags"][0]] |= 2
    expected[SEGMENTS["cs"] + 3] = 0x0C
    assert bsp == bytes(expected)
    both = [hashlib.sha256(one).digest() for one in (bsp, ap)]
    assert list(launched.vmsa_hashes(2, None)) == both
    assert launched.vmsa_hashes(1, None) == (both[0], None)


def test_a_record_that_knows_no_kernel_page_of_these_rules_is_refused() -> None:
    whole = launch(page(0x10000, 1))
    older = replace(whole.image, platforms={"sev-snp": replace(whole.platform, kernel_pages={})})
    why = "the digest cannot be computed: the record of the file is older than the rules of clh-kvm-igvm"
    assert replace(whole, image=older).blocker == why
    assert replace(whole, image=older, kernel_hashes=None).blocker is None
    absent = launch(page(0x1000, 1))
    assert list(absent.platform.kernel_pages.values()) == [NoKernelPage.ABSENT]
    assert absent.blocker is None


def test_rules_that_differ_in_the_address_alone_have_a_page_each() -> None:
    rules = CLH.igvm
    assert rules is not None
    others = [replace(rules, kernel_hashes_gpa=gpa) for gpa in (0x20C00, None)]
    file = IgvmFile.parse(igvm_bytes(platform(), page(0x10000, 1), page(0x20000, 1)))
    component = reduce_igvm(file, [(one, ("sev-snp",)) for one in (rules, *others)])
    pages = component.platforms["sev-snp"].kernel_pages
    assert {name.rpartition("=")[2] for name in pages} == {"0x10c00", "0x20c00"}
    assert len(set(pages.values())) == 2
    assert len(component.platforms["sev-snp"].states) == 1


def test_cloud_hypervisor_has_16_bits_for_the_limits_of_tables() -> None:
    vmsa = bytearray(4096)
    vmsa[SEGMENTS["idtr"] + 6] = 1
    launched = launch(page(0, 1), context(0x5000, 2), hashes=None, vmsa=bytes(vmsa))
    assert "refuses the context of vCPU 0: the limit of idtr has more than 16 bits" in (launched.blocker or "")
