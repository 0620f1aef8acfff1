"""The memory map of a firmware image: the ranges of guest-physical memory that a launch touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from catalog.firmware.component import FirmwareComponent


@dataclass(frozen=True, slots=True)
class Range:
    """A range of guest memory.

    gpa: guest-physical address.
    size: bytes.
    what: name, for people.
    order: position in the launch, from 0 for the firmware; None for the kernel hashes area, which is part of a page.
    """

    gpa: int
    size: int
    what: str
    order: int | None

    @property
    def end(self) -> int:
        return self.gpa + self.size

    def overlaps(self, other: Range) -> bool:
        """True if both ranges are launched and share memory."""
        launched = self.order is not None and other.order is not None
        return launched and self != other and self.gpa < other.end and other.gpa < self.end

    def to_dict(self) -> dict[str, Any]:
        """The range in the JSON of `ldcat inspect`: numbers in decimal."""
        return {"gpa": self.gpa, "size": self.size, "what": self.what, "order": self.order}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Memory from `gpa` to `end`, in which no range begins or ends. within: indexes of the ranges that include it."""

    gpa: int
    end: int
    within: tuple[int, ...]


def memory_map(component: FirmwareComponent) -> list[Range]:
    """The ranges of a component by address: metadata sections, the kernel hashes area, and the firmware.

    The firmware is left out if its size is not known.
    """
    ranges = [Range(s.gpa, s.size, s.name, number) for number, s in enumerate(component.sections, 1)]
    if (area := component.hashes_area) and area.size is not None:
        ranges.append(Range(area.gpa, area.size, "kernel hashes area", None))
    if component.gpa is not None and component.size is not None:
        ranges.append(Range(component.gpa, component.size, "firmware", 0))
    return sorted(ranges, key=lambda one: (one.gpa, -one.size))


def stretches(ranges: Sequence[Range]) -> list[Stretch]:
    """The memory from the last range down to the first; a stretch that is in no range is a gap."""
    bounds = sorted({bound for one in ranges for bound in (one.gpa, one.end)}, reverse=True)
    return [
        Stretch(gpa, end, tuple(i for i, one in enumerate(ranges) if one.gpa <= gpa and end <= one.end))
        for end, gpa in pairwise(bounds)
    ]
