"""Where a loader writes kernel hashes in an IGVM file: the page, with what comes before and after it.

Source: Cloud Hypervisor, vmm/src/igvm/igvm_loader.rs and vmm/src/sev.rs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.page_info import HAS_CONTENTS, PAGE_SIZE, PageType, contents_digest, fold, page_info_tail
from catalog.firmware.igvm.igvm_component import MAX_AFTER, KernelPage, LaterPage, NoKernelPage
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.igvm_layout import ParameterArea, ParameterInsert, VpContext
from catalog.launch.hashing.backends import choose
from catalog.launch.igvm.loaded_pages import LoadedPages
from catalog.launch.igvm.pages_digest import snp_digests
from catalog.launch.igvm_rules import IgvmRules

_BLOCK_SIZE = 1024
_NOT_MEASURED = bytes(48)


def kernel_pages(
    file: IgvmFile, mask: int, lists: Iterable[tuple[IgvmRules, LoadedPages]]
) -> Mapping[str, KernelPage | NoKernelPage]:
    """The kernel page by `IgvmRules.of_kernel_page`, of rules that have one. lists: rules, each with its pages."""
    return {
        rules.of_kernel_page: _kernel_page(file, mask, pages, rules.kernel_hashes_gpa)
        for rules, pages in lists
        if rules.kernel_hashes_gpa is not None
    }


def hashes_page(gpa: int, hashes: KernelHashes, page: bytes = bytes(PAGE_SIZE)) -> bytes:
    """PAGE_INFO, without the digest, of a page after the kernel hashes were written. gpa: of the block of hashes."""
    offset = gpa % PAGE_SIZE
    table = hashes.page(offset)[offset : offset + _BLOCK_SIZE]
    contents = page[:offset] + table + page[offset + _BLOCK_SIZE :]
    return page_info_tail(PageType.NORMAL, gpa - offset, contents_digest(contents))


def after_kernel_page(page: KernelPage, gpa: int, hashes: KernelHashes) -> bytes:
    """The SNP launch digest after all pages, 48 bytes, with kernel hashes in this page. gpa: of the block of hashes."""
    digest = fold(page.before, hashes_page(gpa, hashes, page.page))
    for later in page.after:
        digest = fold(digest, page_info_tail(later.kind, later.gpa, later.contents))
    return digest


def _kernel_page(file: IgvmFile, mask: int, pages: LoadedPages, gpa: int) -> KernelPage | NoKernelPage:
    """gpa: of the block of hashes."""
    offset, address = gpa % PAGE_SIZE, gpa - gpa % PAGE_SIZE
    if other := _other_at(file, mask, address):
        return other
    if address not in pages.gpas:
        return NoKernelPage.ABSENT
    at = pages.gpas.index(address)
    if pages.kinds[at] == PageType.CPUID:
        return NoKernelPage.CPUID
    if len(pages.gpas) - at - 1 > MAX_AFTER:
        return NoKernelPage.LATER_PAGES
    (before,) = snp_digests(file, [LoadedPages(*(column[:at] for column in pages))], choose().sha384)
    page = file.page(pages.offsets[at])
    page = page[:offset] + bytes(_BLOCK_SIZE) + page[offset + _BLOCK_SIZE :]
    return KernelPage(before, page, tuple(_later(file, *one) for one in islice(zip(*pages, strict=True), at + 1, None)))


def _other_at(file: IgvmFile, mask: int, address: int) -> NoKernelPage | None:
    """What is at an address that no directive of pages puts there."""
    areas = dict[int, int]()
    for _, one in file.headers:
        if isinstance(one, ParameterArea):
            areas[one.area] = one.size
        elif isinstance(one, ParameterInsert) and one.mask & mask and one.gpa <= address < one.gpa + areas[one.area]:
            return NoKernelPage.PARAMETERS
        elif isinstance(one, VpContext) and one.mask & mask and not one.vp_index and one.gpa == address:
            return NoKernelPage.VMSA
    return None


def _later(file: IgvmFile, kind: int, gpa: int, offset: int) -> LaterPage:
    contents = contents_digest(file.page(offset)) if kind in HAS_CONTENTS else _NOT_MEASURED
    return LaterPage(PageType(kind), gpa, contents)
