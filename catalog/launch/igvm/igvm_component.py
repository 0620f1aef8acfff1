"""IgvmComponent: the facts of an IGVM file from which its launch digest under every known loader follows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.igvm_layout import (
    GuestPolicy,
    SnpIdBlock,
    VpContext,
)
from catalog.firmware.igvm.igvm_types import HeaderType, PageDataType, PlatformType
from catalog.firmware.igvm.page_run import PageRun
from catalog.launch.hashing.backends import choose
from catalog.launch.igvm.loaded_pages import loaded_pages, overlaps
from catalog.launch.igvm.pages_digest import sev_state, snp_digests
from catalog.launch.igvm_rules import IgvmRules

PLATFORMS: Mapping[str, PlatformType] = MappingProxyType(
    {"sev": PlatformType.SEV, "sev-es": PlatformType.SEV_ES, "sev-snp": PlatformType.SEV_SNP}
)
"""The platform of an IGVM file by technology."""


@dataclass(frozen=True, slots=True)
class IgvmContext:
    """The VMSA of one vCPU. page: 4096 bytes."""

    vcpu: int
    gpa: int
    page: bytes


@dataclass(frozen=True, slots=True)
class PageState:
    """What was hashed of the pages of a platform.

    digest: SNP launch digest, 48 bytes; or SHA-256 midstate, 32 bytes. hashed: bytes that the midstate covers.
    """

    digest: bytes
    hashed: int = 0


@dataclass(frozen=True, slots=True)
class IgvmPlatform:
    """An IGVM file on one platform.

    headers: types of its headers, and of those for all platforms. data_types: of its pages.
    contexts: of its vCPUs, by number. policy: guest policy; None if the file has none.
    expected: launch digest that its ID block has, 48 bytes; None without one.
    overlaps: pages, parameter areas included, at an address that has another page or a VMSA.
    states: by `IgvmRules.of_pages`, after all pages.
    """

    headers: frozenset[HeaderType]
    data_types: frozenset[PageDataType]
    contexts: tuple[IgvmContext, ...]
    policy: int | None
    expected: bytes | None
    overlaps: int
    states: Mapping[str, PageState]


@dataclass(frozen=True, slots=True)
class IgvmComponent:
    """An IGVM file without its contents.

    sha256, sha384: of the file, 32 and 48 bytes. size: bytes. headers: types of all its headers.
    ignored: types of unknown headers that were passed over. declared: the platforms of the file.
    platforms: those of them that a technology here is for, by technology.
    """

    sha256: bytes
    sha384: bytes
    size: int
    headers: frozenset[HeaderType]
    ignored: tuple[int, ...]
    declared: tuple[PlatformType, ...]
    platforms: Mapping[str, IgvmPlatform]

    @classmethod
    def from_file(cls, file: IgvmFile, loaders: Iterable[tuple[IgvmRules, Collection[str]]]) -> IgvmComponent:
        """Reduce a file to what launches by these rules need. loaders: rules, and the technologies launched by them."""
        rules: dict[str, dict[str, IgvmRules]] = {technology: {} for technology in PLATFORMS}
        for one, technologies in loaders:
            for technology in technologies:
                rules[technology][one.of_pages] = one
        platforms = {
            technology: _platform(file, platform.mask, technology, rules[technology])
            for technology, kind in PLATFORMS.items()
            if (platform := file.platform(kind))
        }
        return cls(
            sha256=hashlib.sha256(file.data).digest(),
            sha384=hashlib.sha384(file.data).digest(),
            size=len(file.data),
            headers=frozenset(HeaderType(kind) for kind in {kind for kind, _ in file.headers()}),
            ignored=file.ignored,
            declared=tuple(PlatformType(one.platform) for one in file.platforms),
            platforms=platforms,
        )


def _platform(file: IgvmFile, mask: int, technology: str, rules: Mapping[str, IgvmRules]) -> IgvmPlatform:
    headers: set[int] = set()
    data_types: set[int] = set()
    contexts: list[IgvmContext] = []
    pages: dict[int, bytes] = {}
    policy: int | None = None
    expected: bytes | None = None
    for kind, one in file.headers():
        masks = {*one.masks} if isinstance(one, PageRun) else {getattr(one, "mask", mask)}
        headers |= {kind} if any(own & mask for own in masks) else set()
        if isinstance(one, PageRun):
            data_types |= {data_type for own, data_type in {*zip(one.masks, one.data_types, strict=True)} if own & mask}
        elif isinstance(one, VpContext) and one.mask & mask:
            page = pages.setdefault(one.file_offset, file.page(one.file_offset))
            contexts.append(IgvmContext(one.vp_index, one.gpa, page))
        elif isinstance(one, GuestPolicy) and one.mask & mask:
            policy = one.policy
        elif isinstance(one, SnpIdBlock) and one.mask & mask and technology == "sev-snp":
            expected = one.digest
    return IgvmPlatform(
        headers=frozenset(map(HeaderType, headers)),
        data_types=frozenset(map(PageDataType, data_types)),
        contexts=tuple(sorted(contexts, key=lambda context: context.vcpu)),
        policy=policy,
        expected=expected,
        overlaps=overlaps(file, mask),
        states=dict(zip(rules, _states(file, mask, technology, rules.values()), strict=True)),
    )


def _states(file: IgvmFile, mask: int, technology: str, rules: Iterable[IgvmRules]) -> list[PageState]:
    lists = [loaded_pages(file, mask, one) for one in rules]
    if technology == "sev-snp":
        return [PageState(digest) for digest in snp_digests(file, lists, choose().sha384)]
    states = [sev_state(file, pages) for pages in lists]
    return [PageState(state.midstate, state.length) for state in states]
