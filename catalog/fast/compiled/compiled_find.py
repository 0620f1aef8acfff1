"""The search for one digest in compiled code (finds.c), beside `Index.find_in_python`, which decides what is rare."""

from __future__ import annotations

import os
from _thread import allocate_lock, start_new_thread
from struct import pack

from catalog.fast.index import ROW_GROUP
from catalog.fast.verity import DamagedBlock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from catalog.fast.index import Group, Index
    from catalog.fast.verity import VerifiedFile

ffi: Any = None
lib: Any = None
try:
    from catalog.fast.compiled import _finds  # type: ignore[attr-defined]
except ImportError:
    pass
else:
    ffi, lib = _finds.ffi, _finds.lib

held_find: Any = None
"""`ldcat_find` without giving up the GIL; None if it was not compiled."""
try:
    from catalog.fast.compiled import _held  # type: ignore[attr-defined]
except ImportError:
    pass
else:
    held_find = _held.find

_KEPT_BLOCKS = (64 << 20) // 4096
"""Blocks of indexes and trees that stay in memory: 64 MiB."""

_PLACE_BITS = 10
"""Of up to 1,024 ordinals, at even distances, it is known which groups they are in: there a search begins."""

_TAG_BITS = 21
"""Bits of the count of tags: 64 MiB at 32 bytes each, for 8 GiB of files; blocks of more compete for their places."""


def shared_memory() -> Any:
    """What the files of a catalog share, with keys of its own; None without compiled code, or without the memory."""
    if lib is None:
        return None
    return _owned(lib.ldcat_memory_new(os.urandom(lib.LDCAT_KEYS_SIZE), _KEPT_BLOCKS, _TAG_BITS), lib.ldcat_memory_free)


def use_compiled(
    index: Index, file: VerifiedFile, parts: Mapping[int, VerifiedFile], memory: Any, *, keep_parts: bool = False
) -> None:
    """Make an index find digests in compiled code, and groups with a table in memory.

    It stays as it is if there is not enough memory, or if its tables are damaged: a lookup may need none of the damage.
    file: of the index. parts: its open Parquet files, by number; more may be opened later. memory: `shared_memory`.
    keep_parts: keep the blocks of these files, too.
    """
    try:
        layout, firsts = index.layout(), index.firsts()
    except DamagedBlock:
        return
    opened = _opened(file, memory, keep=True)
    numbers = (
        index.rows,
        layout.bucket_at,
        layout.entry_at,
        index.digest_size,
        layout.bucket_bits,
        index.ordinal_bits,
        layout.entry_size,
        ROW_GROUP.bit_length() - 1,
    )
    tables = [_numbers(values) for values in (layout.first_rows, layout.first_pages, layout.page_offsets)]
    counted = (tables[0], tables[1], index.parts, tables[2], len(layout.page_offsets))
    made = opened and _owned(lib.ldcat_index_new(opened, _numbers(numbers), *counted), lib.ldcat_index_free)
    if made:
        index.find = _finding(index, made, parts, lambda part: _opened(part, memory, keep=keep_parts), (opened, memory))
        index.group_of = _grouping(index, firsts)


def _finding(
    index: Index, made: Any, parts: Mapping[int, VerifiedFile], open_part: Callable[[VerifiedFile], Any], opened: Any
) -> Callable[[bytes], list[int]]:
    """`Index.find` in compiled code. made: the index there. opened: what has to live as long.

    Other threads run only while a lookup waits for a disk: if each lookup let them, they would compete for the GIL
    after each, which costs more than a lookup takes.
    """
    find_row, size, ask, not_found = lib.ldcat_find, index.digest_size, lib.LDCAT_ASK_PYTHON, lib.LDCAT_NOT_FOUND
    address, held = int(ffi.cast("uintptr_t", made)), held_find or _not_held
    given: dict[int, Any] = {-1: (opened, made)}
    giving = allocate_lock()

    def find(digest: bytes) -> list[int]:
        known: list[int] | None = held(address, digest)
        return known if known is not None else wait(digest)

    def wait(digest: bytes) -> list[int]:
        if len(digest) != size:
            return []
        row = find_row(made, digest, 1)
        if part := lib.ldcat_ripe_part(made):
            try:
                start_new_thread(_verify_rest, (part, given))
            except RuntimeError:  # the system has no more threads
                _verify_rest(part, given)
        if row == not_found:
            return []
        if row != ask:
            return [row]
        found = index.find_in_python(digest)
        with giving:  # a part that another thread gave must not be freed: compiled code reads it
            for number in [number for number in list(parts) if number not in given]:
                given[number] = open_part(parts[number])
                lib.ldcat_index_part(made, number, given[number] or ffi.NULL)
        return found

    return find


def _verify_rest(part: Any, alive: Any) -> None:
    """Verify a part in a thread of its own. alive: refers to what the part needs, and to the part."""
    del alive
    lib.ldcat_verify_rest(part)


def _not_held(_address: int, _digest: bytes) -> None:
    """In place of `held_find`."""


def _grouping(index: Index, firsts: Sequence[int]) -> Callable[[int], Group]:
    """`Index.group_of` with `firsts`, which are `Index.firsts`, in memory, and where among them to look."""
    read, shift = index.groups_read, max(index.rows.bit_length() - _PLACE_BITS, 0)
    places, number = [0], 0
    for ordinal in range(1 << shift, index.rows + (1 << shift), 1 << shift):
        while number + 1 < len(firsts) and firsts[number + 1] <= ordinal:
            number += 1
        places.append(number)

    def group_of(ordinal: int) -> Group:
        place = ordinal >> shift
        if place + 1 >= len(places):
            return index.group_of_in_python(ordinal)
        low, high = places[place], places[place + 1] + 1
        while high - low > 1:
            middle = (low + high) // 2
            if firsts[middle] <= ordinal:
                low = middle
            else:
                high = middle
        group = read.get(low) or index.group(low)
        return group if group.first <= ordinal < group.end else index.group_of_in_python(ordinal)

    return group_of


def _opened(file: VerifiedFile, memory: Any, *, keep: bool) -> Any:
    """A verified file in compiled code; None if there is not enough memory. keep: its own blocks, too."""
    made = lib.ldcat_file_new(memory, *file.descriptors, file.size, file.root, keep)
    return _owned(made, lib.ldcat_file_free)


def _owned(made: Any, free: Any) -> Any:
    return ffi.gc(made, free) if made else None


def _numbers(values: Sequence[int]) -> Any:
    return ffi.from_buffer("uint64_t[]", pack(f"={len(values)}Q", *values))
