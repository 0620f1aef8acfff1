"""IgvmComponent: the facts of an IGVM file from which its launch digest under every known loader follows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import ClassVar

from catalog.abi.page_info import HAS_CONTENTS, PAGE_SIZE, PageType
from catalog.errors import MalformedRecord
from catalog.firmware.blob_verifier import Enforced
from catalog.firmware.igvm.igvm_checks import MAX_CONTEXTS
from catalog.firmware.igvm.igvm_file import MAX_FILE_SIZE
from catalog.firmware.igvm.igvm_types import HeaderType, PageDataType, PlatformType
from catalog.values import StrEnum

PLATFORMS: Mapping[str, PlatformType] = MappingProxyType(
    {"sev": PlatformType.SEV, "sev-es": PlatformType.SEV_ES, "sev-snp": PlatformType.SEV_SNP}
)
"""The platform of an IGVM file by technology."""

MAX_AFTER = 4096
"""Pages after the kernel page that are recorded: 16 MiB of firmware."""

_SNP_DIGEST = 48
_SHA256 = 32
_MAX_GPA = 1 << 52
_MAX_VCPU = 1 << 16
_MAX_IGNORED = 1 << 16
_RULES = re.compile(r"(?=.{1,400}\Z)[A-Za-z0-9=_-]+( [A-Za-z0-9=_-]+)*")


@dataclass(frozen=True, slots=True)
class IgvmContext:
    """The VMSA of one vCPU. vcpu: u16. gpa: page-aligned guest-physical address. page: 4096 bytes."""

    vcpu: int
    gpa: int
    page: bytes

    def __post_init__(self) -> None:
        _check(0 <= self.vcpu < _MAX_VCPU, f"vCPU {self.vcpu} is not a u16")
        _check(0 <= self.gpa < _MAX_GPA and not self.gpa % PAGE_SIZE, f"{self.gpa:#x} is not the address of a page")
        _check(len(self.page) == PAGE_SIZE, f"a VMSA of {len(self.page)} bytes")


@dataclass(frozen=True, slots=True)
class PageState:
    """What was hashed of the pages of a platform.

    digest: SNP launch digest, 48 bytes; or SHA-256 midstate, 32 bytes. hashed: bytes that the midstate covers.
    """

    digest: bytes
    hashed: int = 0

    def __post_init__(self) -> None:
        is_midstate = len(self.digest) == _SHA256 and 0 <= self.hashed < _MAX_GPA and not self.hashed % PAGE_SIZE
        is_digest = len(self.digest) == _SNP_DIGEST and not self.hashed
        _check(is_midstate or is_digest, f"a state of {len(self.digest)} bytes after {self.hashed}")


@dataclass(frozen=True, slots=True)
class LaterPage:
    """A page that is launched after another one. contents: SHA-384 of its 4096 bytes, or 48 zeros if not measured."""

    kind: PageType
    gpa: int
    contents: bytes

    def __post_init__(self) -> None:
        _check(0 <= self.gpa < _MAX_GPA and not self.gpa % PAGE_SIZE, f"{self.gpa:#x} is not the address of a page")
        _check(len(self.contents) == _SNP_DIGEST, f"the contents of a page as {len(self.contents)} bytes")
        _check(self.kind in HAS_CONTENTS or not any(self.contents), f"contents of a page of type {self.kind.name}")
        _check(self.kind is not PageType.VMSA, "a VMSA as a page after the kernel page")


@dataclass(frozen=True, slots=True)
class KernelPage:
    """The page of a file in which a loader writes kernel hashes.

    before: SNP launch digest after the pages before it, 48 bytes. page: 4096 bytes, zeros where the table goes.
    after: the pages after it.
    """

    before: bytes
    page: bytes
    after: tuple[LaterPage, ...]

    def __post_init__(self) -> None:
        _check(len(self.before) == _SNP_DIGEST and len(self.page) == PAGE_SIZE, "a kernel page has a wrong length")
        _check(len(self.after) <= MAX_AFTER, f"more than {MAX_AFTER:,} pages after the kernel page")


class NoKernelPage(StrEnum):
    """There is no page to write kernel hashes into: nothing at their address, another thing, or too much after it."""

    ABSENT = "absent"
    PARAMETERS = "parameters"
    VMSA = "vmsa"
    CPUID = "cpuid"
    LATER_PAGES = "later-pages"


@dataclass(frozen=True, slots=True)
class IgvmPlatform:
    """An IGVM file on one platform.

    mask: of the platform in the headers, one bit of a u32.
    headers: types of its headers, and of those for all platforms. data_types: of its pages.
    contexts: of its vCPUs, by number. policy: guest policy, u64; None if the file has none.
    expected: launch digest that its ID block has, 48 bytes; None without one.
    overlaps: pages, parameter areas included, at an address that has another page or a VMSA.
    states: after all pages, by `IgvmRules.of_pages`.
    kernel_pages: by `IgvmRules.of_kernel_page`, of loaders that pass kernel hashes.
    """

    mask: int
    headers: frozenset[HeaderType]
    data_types: frozenset[PageDataType]
    contexts: tuple[IgvmContext, ...]
    policy: int | None
    expected: bytes | None
    overlaps: int
    states: Mapping[str, PageState]
    kernel_pages: Mapping[str, KernelPage | NoKernelPage] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(0 < self.mask < 1 << 32 and self.mask.bit_count() == 1, f"the mask {self.mask:#x} of a platform")
        numbers = [one.vcpu for one in self.contexts]
        _check(numbers == sorted(numbers), "contexts are not in the order of their vCPUs")
        _check(len(numbers) <= MAX_CONTEXTS, f"more than {MAX_CONTEXTS:,} contexts")
        _check(self.policy is None or 0 <= self.policy < 1 << 64, "a policy that is not a u64")
        _check(self.expected is None or len(self.expected) == _SNP_DIGEST, "an ID block without a launch digest")
        _check(0 <= self.overlaps < _MAX_GPA, "a number of overlaps that no file has")
        has_pages = HeaderType.PAGE_DATA in self.headers
        _check(has_pages == bool(self.data_types), "types of pages and PAGE_DATA need each other")
        rules = [*self.states, *self.kernel_pages]
        _check(all(map(_RULES.fullmatch, rules)), "a state whose rules are not words in a line")

    @property
    def by_rules(self) -> tuple[Mapping[str, object], Mapping[str, object]]:
        """What depends on the rules of a loader."""
        return self.states, self.kernel_pages


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

    snp_baseline: ClassVar[None] = None
    reset_vector: ClassVar[None] = None
    code: ClassVar[None] = None
    tdx: ClassVar[None] = None
    firmware_version: ClassVar[None] = None
    kernel_hashes_enforced: ClassVar[Enforced] = Enforced.UNKNOWN
    """Facts that firmware images have; of an IGVM file there is none, or none is known."""

    def __post_init__(self) -> None:
        _check(len(self.sha256) == _SHA256 and len(self.sha384) == _SNP_DIGEST, "a hash has the wrong length")
        _check(0 < self.size <= MAX_FILE_SIZE, f"invalid size {self.size}")
        _check(len(set(self.declared)) == len(self.declared), "a platform is declared twice")
        _check(len(self.ignored) <= _MAX_IGNORED, f"more than {_MAX_IGNORED:,} types of headers are ignored")
        expected = {name for name, platform in PLATFORMS.items() if platform in self.declared}
        _check(self.platforms.keys() == expected, "the platforms are not those that the file declares")
        for name, platform in self.platforms.items():
            _check(platform.headers <= self.headers, f"{name} has a type of header that the file does not have")
            size = _SNP_DIGEST if name == "sev-snp" else _SHA256
            _check(all(len(one.digest) == size for one in platform.states.values()), f"a state is not of {name}")
            is_snp = name == "sev-snp"
            _check(is_snp or not (platform.expected or platform.kernel_pages), f"an ID block or kernel page of {name}")

    def __hash__(self) -> int:
        return hash(self.sha256)

    @property
    def key(self) -> bytes:
        """What identifies the component: SHA-256 of the file."""
        return self.sha256

    def agrees_with(self, other: IgvmComponent) -> bool:
        """Whether all that is recorded here is true of another one, which may know the states of more loaders."""
        return self._facts() == other._facts() and all(
            _is_part(mine, theirs)
            for name, one in self.platforms.items()
            for mine, theirs in zip(one.by_rules, other.platforms[name].by_rules, strict=True)
        )

    def joined(self, other: IgvmComponent) -> IgvmComponent:
        """The states that one of two components of the same file knows; raises MalformedRecord if they differ."""
        together = {
            name: replace(
                one,
                states={**other.platforms[name].states, **one.states},
                kernel_pages={**other.platforms[name].kernel_pages, **one.kernel_pages},
            )
            for name, one in self.platforms.items()
            if name in other.platforms
        }
        made = replace(self, platforms=together) if together.keys() == self.platforms.keys() else self
        _check(other.agrees_with(made), "two records of one file contradict each other")
        return made

    def _facts(self) -> IgvmComponent:
        """All but what depends on the loaders that were known when the file was read."""
        bare = {name: replace(one, states={}, kernel_pages={}) for name, one in self.platforms.items()}
        return replace(self, platforms=bare)


def _is_part(mine: Mapping[str, object], theirs: Mapping[str, object]) -> bool:
    return all(theirs.get(name) == value for name, value in mine.items())


def _check(is_valid: bool, what: str) -> None:
    """Raises MalformedRecord."""
    if not is_valid:
        raise MalformedRecord(f"IGVM component: {what}")
