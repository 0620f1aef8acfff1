"""Which known images an unknown one ends with, and whose code: images of one code may differ in their variables."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from catalog.firmware.build import FirmwareBuild

HASHED_LIMIT = 256 << 20
"""Bytes that are hashed for one image at most, the longest tails first."""


@dataclass(frozen=True, slots=True)
class KnownTail:
    """The end of an image that is known.

    size: bytes; all of the image for a CODE image that is known from a combined one alone.
    builds: names of the builds that are these bytes, ascending.
    code_of: names of the builds whose code these bytes are, after a variable store, ascending.
    """

    size: int
    builds: tuple[str, ...]
    code_of: tuple[str, ...]


def known_tails(image: bytes, builds: Iterable[FirmwareBuild]) -> list[KnownTail]:
    """What is known of the end of an image that is itself unknown, the longest first."""
    known: dict[int, dict[bytes, list[tuple[str, bool]]]] = defaultdict(lambda: defaultdict(list))
    for build in builds:
        for size, sha256, is_code in _parts(build):
            if size <= len(image):
                known[size][sha256].append((build.name, is_code))
    tails, left = [], HASHED_LIMIT
    for size in sorted(known, reverse=True):
        left -= size
        if left < 0:
            break
        if found := sorted(known[size].get(hashlib.sha256(memoryview(image)[-size:]).digest(), ())):
            whole = tuple(name for name, is_code in found if not is_code)
            tails.append(KnownTail(size, whole, tuple(name for name, is_code in found if is_code)))
    return tails


def _parts(build: FirmwareBuild) -> Iterator[tuple[int, bytes, bool]]:
    """Size and SHA-256 of an image and of its code, and whether it is the code."""
    component = build.component
    if component.size is not None and component.sha256 is not None:
        yield component.size, component.sha256, False
    if component.code:
        yield component.code.size, component.code.sha256, True
