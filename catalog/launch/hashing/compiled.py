"""Calls into the compiled hashing code, which runs without the GIL; lengths are checked here."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from catalog.abi.page_info import PAGE_SIZE
from catalog.abi.sha256 import Sha256State
from catalog.abi.sha256_compression import BLOCK_SIZE
from catalog.launch.hashing.backends import ffi, implementation_number, lib
from catalog.launch.hashing.passes import for_many, sha256_passes

Pages = tuple["array[int]", "array[int]", "array[int]"]
"""Type ('B'), guest-physical address ('Q') and number of the contents ('I') of each page."""

_ROOM = 1024
"""Hits of a scan for which memory is allocated at first."""


def sha256_chains(
    implementation: str, states: Sequence[Sha256State], bsp: Sequence[bytes], ap: Sequence[bytes], counts: Sequence[int]
) -> memoryview:
    """SHA-256 of what each state has hashed, then its one page `bsp`, then its pages `ap`, for each count of pages.

    bsp, ap: 4096 bytes for each state. Least is done if states with the same pages and length come one after the other.
    counts: ascending, 1 or more.
    Gives 32 bytes for each state and count, state by state.
    """
    _check(_the_one_length([*bsp, *ap]) == PAGE_SIZE and len(states) == len(bsp) == len(ap), counts)
    out, size = bytearray(32 * len(states) * len(counts)), 32 * len(counts)
    numbers: dict[bytes, int] = {}
    bsp_numbers, ap_numbers = (_words(numbers.setdefault(page, len(numbers)) for page in pages) for pages in (bsp, ap))
    midstates = _in(b"".join(state.midstate for state in states))
    carried = _in(b"".join(state.carried.ljust(BLOCK_SIZE, b"\0") for state in states))
    lengths = ffi.from_buffer("uint64_t[]", array("Q", (state.length for state in states)))
    pages, made, asked = _in(b"".join(numbers)), _out(out), _words(counts)
    for some in sha256_passes(implementation, len(states)):
        first = some.first
        result = lib.ldcat_sha256_chains(
            implementation_number(some.engine.implementation),
            some.engine.lanes,
            some.chains,
            midstates + 32 * first,
            carried + BLOCK_SIZE * first,
            lengths + first,
            pages,
            bsp_numbers + first,
            ap_numbers + first,
            asked,
            len(counts),
            made + size * first,
        )
        _raise_for(result)
    return memoryview(out)


def sha256_pages(implementation: str, pages: bytes | memoryview) -> bytes:
    """SHA-256 of each page of 4096 bytes: 32 bytes each, one after the other."""
    _check(len(pages) % PAGE_SIZE == 0, [1])
    out = bytearray(len(pages) // PAGE_SIZE * 32)
    number = implementation_number(for_many(implementation))
    _raise_for(lib.ldcat_sha256_pages(number, _in(pages), len(pages) // PAGE_SIZE, _out(out)))
    return bytes(out)


def sha384_chains(
    implementation: str, digests: Sequence[bytes], bsp: Sequence[bytes], ap: Sequence[bytes], counts: Sequence[int]
) -> memoryview:
    """SNP launch digests after each count of vCPUs.

    digests: before the first vCPU, 48 bytes each.
    bsp, ap: `page_info_tail` of the first and of every other VMSA of a chain, 64 bytes each.
    counts: ascending, 1 or more.
    Gives 48 bytes for each chain and count.
    """
    _check((_the_one_length(digests), _the_one_length([*bsp, *ap])) == (48, 64), counts)
    _check(len(digests) == len(bsp) == len(ap), counts)
    out = bytearray(48 * len(digests) * len(counts))
    result = lib.ldcat_sha384_chains(
        implementation_number(implementation),
        len(digests),
        _in(b"".join(digests)),
        _in(b"".join(bsp)),
        _in(b"".join(ap)),
        _words(counts),
        len(counts),
        _out(out),
    )
    _raise_for(result)
    return memoryview(out)


def sha384_pages(implementation: str, digests: Sequence[bytes], pages: Sequence[Pages], contents: bytes) -> list[bytes]:
    """SNP launch digests after pages of their own.

    digests: before the first page, 48 bytes each. contents: digests of contents, 48 bytes each.
    """
    _check(len(digests) == len(pages) > 0 and _the_one_length(digests) == 48 and len(contents) % 48 == 0, [1])
    given = ffi.new("struct ldcat_pages[]", len(pages))
    kept = []  # what is given, as long as it is
    for one, (kinds, gpas, numbers) in zip(given, pages, strict=True):
        fits = len(kinds) == len(gpas) == len(numbers) and 48 * (max(numbers, default=-1) + 1) <= len(contents)
        _check(fits, [1])
        columns = (("uint8_t[]", kinds), ("uint64_t[]", gpas), ("uint32_t[]", numbers))
        one.kinds, one.gpas, one.contents = memory = [ffi.from_buffer(kind, column) for kind, column in columns]
        one.count = len(kinds)
        kept.append(memory)
    out = bytearray(b"".join(digests))
    number = implementation_number(implementation)
    _raise_for(lib.ldcat_sha384_pages(number, len(pages), given, _in(contents), _out(out)))
    del kept
    return [bytes(out[at : at + 48]) for at in range(0, len(out), 48)]


def scan_launch_measure(
    implementation: str,
    *,
    inner: bytes,
    outer: bytes,
    before: bytes,
    after: bytes,
    measurement: bytes,
    candidates: bytes | memoryview,
) -> list[int]:
    """Numbers of the 32-byte candidate digests whose HMAC-SHA256 is `measurement`, ascending.

    inner, outer: SHA-256 midstates after the padded key blocks of HMAC, 32 bytes each.
    before, after: the 8 and 16 bytes of the message around the digest.
    """
    _check([len(part) for part in (inner, outer, before, after, measurement)] == [32, 32, 8, 16, 32], [1])
    _check(len(candidates) % 32 == 0, [1])
    number, found, room = implementation_number(for_many(implementation)), ffi.new("size_t *", _ROOM), 0
    while found[0] > room:  # if there are more hits, a second scan has enough memory
        room = found[0]
        numbers = ffi.new("uint64_t[]", room)
        result = lib.ldcat_scan_launch_measure(
            number,
            _in(inner),
            _in(outer),
            _in(before),
            _in(after),
            _in(measurement),
            _in(candidates),
            len(candidates) // 32,
            numbers,
            room,
            found,
        )
        _raise_for(result)
    return list(numbers[0 : found[0]])


def _in(data: bytes | memoryview) -> Any:
    return ffi.from_buffer("uint8_t[]", data)


def _out(data: bytearray) -> Any:
    return ffi.from_buffer("uint8_t[]", data, require_writable=True)


def _words(numbers: Iterable[int]) -> Any:
    return ffi.from_buffer("uint32_t[]", array("I", numbers))


def _the_one_length(parts: Sequence[bytes]) -> int:
    lengths = {len(part) for part in parts}
    if len(lengths) != 1:
        raise ValueError(f"the compiled code takes parts of one length, not of {sorted(lengths)}")
    return lengths.pop()


def _check(fits: bool, counts: Sequence[int]) -> None:
    """Raises ValueError for wrong lengths or counts: the compiled code does not check them."""
    ascending = all(low < high for low, high in pairwise(counts))
    if not fits or not counts or counts[0] < 1 or not ascending:
        raise ValueError("the compiled code was given parts of a wrong length, or counts that do not ascend from 1 on")


def _raise_for(result: int) -> None:
    if result == lib.LDCAT_NO_MEMORY:
        raise MemoryError
    if result != lib.LDCAT_DONE:
        raise ValueError("this processor cannot run that implementation")
