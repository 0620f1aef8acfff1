"""PAGE_INFO: how the secure processor folds one 4 KiB page into an SNP launch digest.

Source: SEV-SNP ABI specification (AMD 56860), 8.17.2, tables 64 to 67.
"""

from __future__ import annotations

import hashlib
import struct

from catalog.values import IntEnum

PAGE_SIZE = 4096
INITIAL_DIGEST = bytes(48)
"""GCTX.LD before the first launch update."""

_NO_CONTENTS = bytes(48)
_TRAILER = struct.Struct("<HBBIQ")  # length, page type, IMI page, VMPL permissions and reserved, GPA
_LENGTH = 0x70


class PageType(IntEnum):
    """PAGE_TYPE of SNP_LAUNCH_UPDATE."""

    NORMAL = 1
    VMSA = 2
    ZERO = 3
    UNMEASURED = 4
    SECRETS = 5
    CPUID = 6


HAS_CONTENTS = frozenset({PageType.NORMAL, PageType.VMSA})
"""Page types whose contents are measured; of the others only that they are there."""


def contents_digest(page: bytes | memoryview) -> bytes:
    """CONTENTS of PAGE_INFO for a page that is measured: SHA-384 of its 4096 bytes."""
    return hashlib.sha384(page).digest()


def page_info_tail(page_type: PageType, gpa: int, contents: bytes = _NO_CONTENTS) -> bytes:
    """The 64 bytes of PAGE_INFO after the current digest; gpa: guest-physical address, u64."""
    return contents + _TRAILER.pack(_LENGTH, page_type, 0, 0, gpa)


def fold(launch_digest: bytes, tail: bytes) -> bytes:
    """The 48-byte launch digest after the page whose `page_info_tail` is given."""
    return hashlib.sha384(launch_digest + tail).digest()


def fold_pages(launch_digest: bytes, page_type: PageType, gpa: int, data: bytes) -> bytes:
    """Fold consecutive measured pages (NORMAL or VMSA) from `gpa` on, ascending."""
    view = memoryview(data)
    for offset in range(0, len(data), PAGE_SIZE):
        contents = contents_digest(view[offset : offset + PAGE_SIZE])
        launch_digest = fold(launch_digest, page_info_tail(page_type, gpa + offset, contents))
    return launch_digest
