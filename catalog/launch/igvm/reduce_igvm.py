"""Reduces an IGVM file to its component: the state after its pages by each set of rules, its VMSAs, and facts."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence

from catalog.firmware.igvm.igvm_component import PLATFORMS, IgvmComponent, IgvmContext, IgvmPlatform, PageState
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.igvm_layout import (
    GuestPolicy,
    SnpIdBlock,
    VpContext,
)
from catalog.firmware.igvm.igvm_types import HeaderType, PageDataType, PlatformType
from catalog.firmware.igvm.page_run import PageRun
from catalog.launch.hashing.backends import choose
from catalog.launch.igvm.kernel_pages import kernel_pages
from catalog.launch.igvm.loaded_pages import LoadedPages, loaded_pages, overlaps
from catalog.launch.igvm.pages_digest import sev_state, snp_digests
from catalog.launch.igvm_rules import IgvmRules


def reduce_igvm(file: IgvmFile, loaders: Iterable[tuple[IgvmRules, Collection[str]]]) -> IgvmComponent:
    """What launches by these rules need of a file. loaders: rules, and the technologies that are launched by them."""
    rules: dict[str, list[IgvmRules]] = {technology: [] for technology in PLATFORMS}
    for one, technologies in loaders:
        for technology in technologies:
            rules[technology].append(one)
    platforms = {
        technology: _platform(file, platform.mask, technology, rules[technology])
        for technology, kind in PLATFORMS.items()
        if (platform := file.platform(kind))
    }
    return IgvmComponent(
        sha256=hashlib.sha256(file.data).digest(),
        sha384=hashlib.sha384(file.data).digest(),
        size=len(file.data),
        headers=frozenset(HeaderType(kind) for kind in {kind for kind, _ in file.headers}),
        ignored=file.ignored,
        declared=tuple(PlatformType(one.platform) for one in file.platforms),
        platforms=platforms,
    )


def _platform(file: IgvmFile, mask: int, technology: str, rules: Sequence[IgvmRules]) -> IgvmPlatform:
    headers: set[int] = set()
    data_types: set[int] = set()
    contexts: list[IgvmContext] = []
    pages: dict[int, bytes] = {}
    policy: int | None = None
    expected: bytes | None = None
    for kind, one in file.headers:
        if isinstance(one, PageRun):
            found = {one.data_types[begin] for begin, _ in one.uniform_parts() if one.masks[begin] & mask}
            headers |= {kind} if found else set()
            data_types |= found
        elif not getattr(one, "mask", mask) & mask:
            continue
        else:
            headers.add(kind)
        if isinstance(one, VpContext):
            page = pages.setdefault(one.file_offset, file.page(one.file_offset))
            contexts.append(IgvmContext(one.vp_index, one.gpa, page))
        elif isinstance(one, GuestPolicy):
            policy = one.policy
        elif isinstance(one, SnpIdBlock) and technology == "sev-snp":
            expected = one.digest
    lists: dict[str, LoadedPages] = {}
    for rule in {one.of_pages: one for one in rules}.values():
        made = loaded_pages(file, mask, rule)
        lists[rule.of_pages] = next((known for known in lists.values() if known == made), made)
    return IgvmPlatform(
        mask=mask,
        headers=frozenset(map(HeaderType, headers)),
        data_types=frozenset(map(PageDataType, data_types)),
        contexts=tuple(sorted(contexts, key=lambda context: context.vcpu)),
        policy=policy,
        expected=expected,
        overlaps=overlaps(file, mask),
        states=_states(file, technology, lists),
        kernel_pages=kernel_pages(file, mask, ((rule, lists[rule.of_pages]) for rule in rules))
        if technology == "sev-snp"
        else {},
    )


def _states(file: IgvmFile, technology: str, lists: Mapping[str, LoadedPages]) -> Mapping[str, PageState]:
    distinct = list({id(pages): pages for pages in lists.values()}.values())  # most loaders launch the same pages
    if technology == "sev-snp":
        states = [PageState(digest) for digest in snp_digests(file, distinct, choose().sha384)]
    else:
        made = [sev_state(file, pages) for pages in distinct]
        states = [PageState(state.midstate, state.length) for state in made]
    by_list = dict(zip(map(id, distinct), states, strict=True))
    return {name: by_list[id(pages)] for name, pages in lists.items()}
