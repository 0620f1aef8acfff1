"""Print the notices of opening a catalog on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from catalog.terminal import render
from catalog.verify.notices import Notices

_LARGE = 4 << 20
"""Bytes: no progress is shown for smaller files."""


def notices(*, quiet: bool) -> Notices:
    """Print warnings always; notes and progress unless `quiet`."""

    @contextmanager
    def fetching(size: int) -> Iterator[Callable[[int], None]]:
        with render.progress(quiet=quiet or size < _LARGE, plain=False) as begin:
            yield begin("fetched", size)

    return Notices(render.warning, (lambda _: None) if quiet else render.note, fetching)
