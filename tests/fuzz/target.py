"""A fuzz target: a parser as a function of bytes, and seeds that it accepts."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Target(NamedTuple):
    """parse: calls the parser. seeds: inputs that it accepts."""

    parse: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
