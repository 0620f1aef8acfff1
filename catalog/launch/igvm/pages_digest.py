"""The launch digest after the pages of an IGVM file: SHA-384 of PAGE_INFO under SNP, SHA-256 of contents under SEV."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import groupby

from catalog.abi.page_info import (
    HAS_CONTENTS,
    INITIAL_DIGEST,
    PAGE_SIZE,
    PageType,
    contents_digest,
    fold,
    page_info_tail,
)
from catalog.abi.sha256 import Sha256State
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.page_run import is_uniform
from catalog.launch.hashing.backends import PYTHON
from catalog.launch.hashing.compiled import sha384_pages
from catalog.launch.igvm.loaded_pages import LoadedPages

_AT_ONCE = 1 << 15
"""Pages of each list that are hashed together."""

_KEPT = 1 << 16
"""Contents whose digests are kept: 10 MiB. Most files with more pages repeat few of them."""

_NOTHING = bytes(48)
_ZEROS = bytes(1 << 20)


class _Contents(dict[int, bytes]):
    """SHA-384 of the 4096 bytes at an offset of a file."""

    def __init__(self, file: IgvmFile) -> None:
        self._file = file

    def __missing__(self, offset: int) -> bytes:
        if len(self) >= _KEPT:
            self.clear()
        made = self[offset] = contents_digest(self._file.page(offset))
        return made


def snp_digests(file: IgvmFile, lists: Sequence[LoadedPages], implementation: str) -> list[bytes]:
    """GCTX.LD after the pages of each list, 48 bytes. Source: SEV-SNP ABI (56860), 8.17.2.

    implementation: of SHA-384, which changes nothing but the time.
    """
    digests, contents = [INITIAL_DIGEST] * len(lists), _Contents(file)
    for begin in range(0, max((len(pages.gpas) for pages in lists), default=0), _AT_ONCE):
        some = [LoadedPages(*(column[begin : begin + _AT_ONCE] for column in pages)) for pages in lists]
        if implementation == PYTHON:
            digests = [_folded(digest, pages, contents) for digest, pages in zip(digests, some, strict=True)]
        else:
            digests = _folded_at_once(digests, some, contents, implementation)
    return digests


def _folded(digest: bytes, pages: LoadedPages, contents: _Contents) -> bytes:
    for kind, gpa, offset in zip(*pages, strict=True):
        measured = (contents[offset],) if kind in HAS_CONTENTS else ()
        digest = fold(digest, page_info_tail(PageType(kind), gpa, *measured))
    return digest


class _Table(dict[int, int]):
    """Numbers of contents by their offset, from 1 on; `digests` has 48 bytes for each, and zeros as number 0."""

    def __init__(self, contents: _Contents) -> None:
        self._contents = contents
        self.digests = bytearray(_NOTHING)

    def __missing__(self, offset: int) -> int:
        made = self[offset] = len(self) + 1
        self.digests += self._contents[offset]
        return made

    def numbers(self, kinds: array[int], offsets: array[int]) -> array[int]:
        """The number of the contents of each page; 0 if they are not measured."""
        if not is_uniform(kinds):
            measured = (
                self[offset] if kind in HAS_CONTENTS else 0 for kind, offset in zip(kinds, offsets, strict=True)
            )
            return array("I", measured)
        if {*kinds[:1]} & HAS_CONTENTS:
            return array("I", map(self.__getitem__, offsets))
        return array("I", (0,)) * len(kinds)


def _folded_at_once(
    digests: list[bytes], lists: Sequence[LoadedPages], contents: _Contents, implementation: str
) -> list[bytes]:
    table = _Table(contents)
    pages = [(kinds, gpas, table.numbers(kinds, offsets)) for kinds, gpas, offsets in lists]
    return sha384_pages(implementation, digests, pages, bytes(table.digests))


def sev_state(file: IgvmFile, pages: LoadedPages) -> Sha256State:
    """The SHA-256 in progress after the contents of these pages, zeros included; pages of other types are not hashed.

    Source: AMD SEV API (55766), LAUNCH_UPDATE_DATA; QEMU target/i386/sev.c, cgs_set_guest_state.
    """
    state, measured = Sha256State(), (offset for kind, _, offset in zip(*pages, strict=True) if kind in HAS_CONTENTS)
    for offset, some in groupby(measured):
        if offset:
            for _ in some:
                state = state.update(file.page(offset))
        else:
            state = _with_zeros(state, PAGE_SIZE * sum(1 for _ in some))
    return state


def _with_zeros(state: Sha256State, size: int) -> Sha256State:
    """After so many bytes of zeros."""
    while size:
        some = min(size, len(_ZEROS))
        state = state.update(_ZEROS[:some])
        size -= some
    return state
