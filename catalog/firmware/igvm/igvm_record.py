"""The component of an IGVM file in TOML: the table [igvm] of a firmware record (docs/igvm.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeVar

from catalog.abi.page_info import HAS_CONTENTS, PAGE_SIZE, PageType
from catalog.errors import MalformedRecord
from catalog.firmware.igvm.igvm_component import (
    IgvmComponent,
    IgvmContext,
    IgvmPlatform,
    KernelPage,
    LaterPage,
    NoKernelPage,
    PageState,
)
from catalog.firmware.igvm.igvm_types import HeaderType, PageDataType, PlatformType
from catalog.values import IntEnum
from catalog.wire import U16, U32, PageAddress, Wire, unhex

_Kind = TypeVar("_Kind", HeaderType, PageDataType, PlatformType)


class ContextWire(Wire, frozen=True):
    """The VMSA of a vCPU. vmsa: SHA-256 of its page."""

    vcpu: U16
    gpa: PageAddress
    vmsa: str


class StateWire(Wire, frozen=True):
    """The state after all pages by some rules. pages: `IgvmRules.of_pages`. hashed: bytes, of a SHA-256 midstate."""

    pages: str
    digest: str
    hashed: int = 0


class KernelPageWire(Wire, frozen=True):
    """The page in which a loader writes kernel hashes. rules: `IgvmRules.of_kernel_page`.

    before, page: as in KernelPage, the page as hex without the zeros at the end. after: each as type, address and, if
    contents are measured, their SHA-384. none: as NoKernelPage; it stands alone.
    """

    rules: str
    before: str | None = None
    page: str | None = None
    after: list[str] = []
    none: Literal["absent", "parameters", "vmsa", "cpuid", "later-pages"] | None = None


class PlatformWire(Wire, frozen=True):
    """An IGVM file on one platform. policy: a u64 in 0x-hex, which is more than an integer of TOML holds."""

    mask: U32
    headers: list[str]
    states: list[StateWire]
    data_types: list[str] = []
    policy: str | None = None
    id_block_digest: str | None = None
    overlaps: int = 0
    contexts: list[ContextWire] = []
    kernel_pages: list[KernelPageWire] = []


class IgvmComponentWire(Wire, frozen=True):
    """The table [igvm]. vmsas: pages by SHA-256, as hex without the zeros at the end. platforms: by technology."""

    sha256: str
    sha384: str
    size: U32
    declared: list[str]
    headers: list[str]
    ignored: list[U32] = []
    vmsas: dict[str, str] = {}
    platforms: dict[str, PlatformWire] = {}


def igvm_component(wire: IgvmComponentWire, what: str) -> IgvmComponent:
    """The component of a table; raises MalformedRecord, with a message that begins with `what`."""
    try:
        vmsas = {sha256: _page(sha256, text) for sha256, text in wire.vmsas.items()}
        named = {context.vmsa for platform in wire.platforms.values() for context in platform.contexts}
        if unused := vmsas.keys() - named:
            raise MalformedRecord(f"no context has the VMSA {min(unused)[:64]}")
        return IgvmComponent(
            sha256=unhex(wire.sha256, 32, "sha256"),
            sha384=unhex(wire.sha384, 48, "sha384"),
            size=wire.size,
            headers=frozenset(_named(HeaderType, wire.headers)),
            ignored=tuple(wire.ignored),
            declared=tuple(_named(PlatformType, wire.declared)),
            platforms={name: _platform(one, vmsas) for name, one in wire.platforms.items()},
        )
    except MalformedRecord as error:
        raise MalformedRecord(f"{what}: {error}", error.hint) from error


def igvm_lines(component: IgvmComponent) -> Iterator[str]:
    """The lines of the table [igvm]: `igvm_component` of them gives the same component."""
    yield "[igvm]"
    yield f'sha256 = "{component.sha256.hex()}"'
    yield f'sha384 = "{component.sha384.hex()}"'
    yield f"size = {component.size}"
    yield f"declared = {_names(component.declared)}"
    yield f"headers = {_names(sorted(component.headers))}"
    if component.ignored:
        yield f"ignored = [{', '.join(map(hex, component.ignored))}]"
    pages = {_sha256(one.page): one.page for platform in component.platforms.values() for one in platform.contexts}
    if pages:
        yield from ("", "[igvm.vmsas]")
        yield from (f'{sha256} = "{_trimmed(pages[sha256])}"' for sha256 in sorted(pages))
    for technology, platform in sorted(component.platforms.items()):
        yield from ("", f"[igvm.platforms.{technology}]", *_platform_lines(platform))


def _platform_lines(platform: IgvmPlatform) -> Iterator[str]:
    yield f"mask = {platform.mask:#x}"
    yield f"headers = {_names(sorted(platform.headers))}"
    if platform.data_types:
        yield f"data_types = {_names(sorted(platform.data_types))}"
    if platform.policy is not None:
        yield f'policy = "{platform.policy:#x}"'
    if platform.expected is not None:
        yield f'id_block_digest = "{platform.expected.hex()}"'
    if platform.overlaps:
        yield f"overlaps = {platform.overlaps}"
    if platform.contexts:
        yield from ("contexts = [", *map(_context_line, platform.contexts), "]")
    yield "states = ["
    for pages, state in sorted(platform.states.items()):
        hashed = f", hashed = {state.hashed}" if state.hashed else ""
        yield f'    {{ pages = "{pages}", digest = "{state.digest.hex()}"{hashed} }},'
    yield "]"
    if platform.kernel_pages:
        yield "kernel_pages = ["
        for rules, page in sorted(platform.kernel_pages.items()):
            yield from _kernel_page_lines(rules, page)
        yield "]"


def _kernel_page_lines(rules: str, page: KernelPage | NoKernelPage) -> Iterator[str]:
    """An inline table of TOML, which is in one line but for its lists."""
    if not isinstance(page, KernelPage):
        yield f'    {{ rules = "{rules}", none = "{page}" }},'
        return
    yield f'    {{ rules = "{rules}", before = "{page.before.hex()}", page = "{_trimmed(page.page)}", after = ['
    for one in page.after:
        contents = f" {one.contents.hex()}" if one.kind in HAS_CONTENTS else ""
        yield f'        "{one.kind.name} {one.gpa:#x}{contents}",'
    yield "    ] },"


def _context_line(one: IgvmContext) -> str:
    return f'    {{ vcpu = {one.vcpu}, gpa = {one.gpa:#x}, vmsa = "{_sha256(one.page)}" }},'


def _names(kinds: Iterable[IntEnum]) -> str:
    quoted = (f'"{kind.name}"' for kind in kinds)
    return f"[{', '.join(quoted)}]"


def _trimmed(page: bytes) -> str:
    return page.rstrip(b"\0").hex()


def _sha256(page: bytes) -> str:
    return hashlib.sha256(page).hexdigest()


def _platform(wire: PlatformWire, vmsas: Mapping[str, bytes]) -> IgvmPlatform:
    kernel_pages = {one.rules: _kernel_page(one) for one in wire.kernel_pages}
    states = {one.pages: PageState(_hex(one.digest, "digest"), one.hashed) for one in wire.states}
    if len(states) < len(wire.states) or len(kernel_pages) < len(wire.kernel_pages):
        raise MalformedRecord("two states by the same rules")
    return IgvmPlatform(
        mask=wire.mask,
        headers=frozenset(_named(HeaderType, wire.headers)),
        data_types=frozenset(_named(PageDataType, wire.data_types)),
        contexts=tuple(IgvmContext(one.vcpu, one.gpa, _vmsa(one.vmsa, vmsas)) for one in wire.contexts),
        policy=None if wire.policy is None else _number(wire.policy),
        expected=None if wire.id_block_digest is None else unhex(wire.id_block_digest, 48, "id_block_digest"),
        overlaps=wire.overlaps,
        states=states,
        kernel_pages=kernel_pages,
    )


def _kernel_page(wire: KernelPageWire) -> KernelPage | NoKernelPage:
    if wire.none is not None and wire.before is wire.page is None and not wire.after:
        return NoKernelPage(wire.none)
    if wire.none is not None or wire.before is None or wire.page is None:
        raise MalformedRecord("a kernel page needs before and page, or none alone")
    after = tuple(map(_later_page, wire.after))
    return KernelPage(unhex(wire.before, 48, "before"), _filled(_hex(wire.page, "page")), after)


def _later_page(text: str) -> LaterPage:
    kind, gpa, contents = (*text.split(" "), "", "")[:3]
    if kind not in PageType.__members__:
        raise MalformedRecord(f"{kind[:32]!r} is not a type of page")
    return LaterPage(PageType[kind], _number(gpa), _hex(contents, "contents") if contents else bytes(48))


def _page(sha256: str, text: str) -> bytes:
    page = _filled(_hex(text, "vmsas"))
    if _sha256(page) != sha256:
        raise MalformedRecord(f"vmsas: {sha256[:64]} is not the SHA-256 of the page that it names")
    return page


def _filled(page: bytes) -> bytes:
    if len(page) > PAGE_SIZE:
        raise MalformedRecord(f"a page of {len(page):,} bytes")
    return page.ljust(PAGE_SIZE, b"\0")


def _vmsa(sha256: str, vmsas: Mapping[str, bytes]) -> bytes:
    if sha256 not in vmsas:
        raise MalformedRecord(f"a context names the VMSA {sha256[:64]!r}, which is not there")
    return vmsas[sha256]


def _hex(text: str, what: str) -> bytes:
    return unhex(text, len(text) // 2, what)


def _number(text: str) -> int:
    try:
        value = int(text, 16)
    except ValueError:
        value = -1
    if value < 0 or f"{value:#x}" != text:
        raise MalformedRecord(f"{text[:24]!r} is not a number in 0x-hex")
    return value


def _named(kind: type[_Kind], names: Iterable[str]) -> list[_Kind]:
    """The members with these names; raises MalformedRecord for another name."""
    members = kind.__members__
    if unknown := [name for name in names if name not in members]:
        raise MalformedRecord(f"{unknown[0][:32]!r} is not a {kind.__name__}")
    return [members[name] for name in names]
