"""The compression function of SHA-256: from one midstate to the next.

hashlib cannot start from a midstate, so the function exists here twice: compiled (sha256.c, built if there
is a C compiler), and in pure Python, with the same results and about 100 times slower.
Source: FIPS 180-4, sections 5 and 6.2.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from functools import lru_cache

try:
    from catalog.abi._sha256 import ffi, lib
except ImportError:
    lib = None

BLOCK_SIZE = 64
_WORD = 0xFFFFFFFF
_DOUBLE = 0x1_0000_0001


def _primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def _integer_cube_root(number: int) -> int:
    low, high = 0, 1 << (number.bit_length() // 3 + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= number else (low, middle)
    return low


# FIPS 180-4, 4.2.2 and 5.3.3: fractional bits of the cube and square roots of the first primes
_ROUND_CONSTANTS = tuple(_integer_cube_root(p << 96) & _WORD for p in _primes(64))
INITIAL_MIDSTATE = struct.pack(">8I", *(math.isqrt(p << 64) & _WORD for p in _primes(8)))
"""The 32 bytes (eight big-endian words) from which every SHA-256 starts."""


@lru_cache(maxsize=4096)
def _schedule(block: bytes) -> tuple[int, ...]:
    """Message schedule of one block with the round constants added; cached, because VMSA blocks repeat."""
    w = list(struct.unpack(">16I", block))
    for i in range(16, 64):
        x, y = w[i - 15] * _DOUBLE, w[i - 2] * _DOUBLE
        s0 = (x >> 7) ^ (x >> 18) ^ (w[i - 15] >> 3)
        s1 = (y >> 17) ^ (y >> 19) ^ (w[i - 2] >> 10)
        w.append((w[i - 16] + (s0 & _WORD) + w[i - 7] + (s1 & _WORD)) & _WORD)
    return tuple(k + word for k, word in zip(_ROUND_CONSTANTS, w, strict=True))


def compress_in_python(midstate: bytes, blocks: bytes) -> bytes:
    """The compression function over whole 64-byte blocks, in pure Python.

    Sums are cut to 32 bits only when a word is stored: the upper bits never reach the lower ones.
    """
    word, double = _WORD, _DOUBLE
    h0, h1, h2, h3, h4, h5, h6, h7 = struct.unpack(">8I", midstate)
    for offset in range(0, len(blocks), BLOCK_SIZE):
        a, b, c, d, e, f, g, h = h0, h1, h2, h3, h4, h5, h6, h7
        for kw in _schedule(blocks[offset : offset + BLOCK_SIZE]):
            x, y = e * double, a * double  # a rotation is a shift of the doubled word
            t1 = h + (x >> 6 ^ x >> 11 ^ x >> 25) + (g ^ e & (f ^ g)) + kw
            t2 = (y >> 2 ^ y >> 13 ^ y >> 22) + (a & b | c & (a | b))
            h = g
            g = f
            f = e
            e = d + t1 & word
            d = c
            c = b
            b = a
            a = t1 + t2 & word
        h0, h1, h2, h3 = h0 + a & word, h1 + b & word, h2 + c & word, h3 + d & word
        h4, h5, h6, h7 = h4 + e & word, h5 + f & word, h6 + g & word, h7 + h & word
    return struct.pack(">8I", h0, h1, h2, h3, h4, h5, h6, h7)


def _compress_compiled(midstate: bytes, blocks: bytes) -> bytes:
    state = ffi.new("uint8_t[32]", midstate)
    lib.ldcat_sha256_compress(state, ffi.from_buffer(blocks), len(blocks) // BLOCK_SIZE)
    return bytes(ffi.buffer(state))


def implementations() -> dict[str, Callable[[bytes, bytes], bytes]]:
    """The compression functions usable here, best first, by the name `ldcat --version` prints."""
    pure: dict[str, Callable[[bytes, bytes], bytes]] = {"pure Python": compress_in_python}
    return pure if lib is None else {"compiled": _compress_compiled, **pure}


in_use, compress = next(iter(implementations().items()))
