"""The launch digest after the pages of an IGVM file: SHA-384 of PAGE_INFO under SNP, SHA-256 of contents under SEV."""

from __future__ import annotations

import hashlib
import struct

from catalog.abi.page_info import HAS_CONTENTS, INITIAL_DIGEST, PageType, contents_digest, page_info_tail
from catalog.abi.sha256 import Sha256State
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.launch.igvm.loaded_pages import LoadedPages

_AT_ONCE = 1 << 16
"""Pages whose addresses are packed together."""


class _Prefixes(dict[tuple[int, int], bytes]):
    """PAGE_INFO between the digest and the address, 56 bytes, by page type and offset of the contents."""

    def __init__(self, file: IgvmFile) -> None:
        self._file = file

    def __missing__(self, key: tuple[int, int]) -> bytes:
        kind, offset = key
        contents = (contents_digest(self._file.page(offset)),) if kind in HAS_CONTENTS else ()
        made = page_info_tail(PageType(kind), 0, *contents)[: -struct.calcsize("<Q")]
        if len(self) < _KEPT:
            self[key] = made
        return made


_KEPT = 1 << 16
"""Prefixes that are kept: 20 MiB. Most files with more pages repeat few of them."""


def snp_digest(file: IgvmFile, pages: LoadedPages) -> bytes:
    """GCTX.LD after these pages, 48 bytes. Source: SEV-SNP ABI (56860), 8.17.2."""
    state, prefixes, empty = INITIAL_DIGEST, _Prefixes(file), hashlib.sha384()
    for begin in range(0, len(pages.gpas), _AT_ONCE):
        kinds, gpas, offsets = (one[begin : begin + _AT_ONCE] for one in pages)
        addresses = struct.iter_unpack("8s", struct.pack(f"<{len(gpas)}Q", *gpas))
        for key, (address,) in zip(zip(kinds, offsets, strict=True), addresses, strict=True):
            made = empty.copy()  # in two thirds of the time that a new one takes
            made.update(state + prefixes[key] + address)
            state = made.digest()
    return state


def sev_state(file: IgvmFile, pages: LoadedPages) -> Sha256State:
    """The SHA-256 in progress after the contents of these pages, zeros included; pages of other types are not hashed.

    Source: AMD SEV API (55766), LAUNCH_UPDATE_DATA; QEMU target/i386/sev.c, cgs_set_guest_state.
    """
    state = Sha256State()
    for kind, _, offset in zip(*pages, strict=True):
        if kind in HAS_CONTENTS:
            state = state.update(file.page(offset))
    return state
