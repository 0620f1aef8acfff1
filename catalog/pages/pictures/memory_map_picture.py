"""The memory map of a firmware image; gaps and overlapping ranges stand out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log2

from catalog.ask.memory_map import Range, Stretch, stretches
from catalog.pages.pictures import svg

MOST_RANGES = 64
"""Ranges that are drawn; no image that anybody launches has more."""

_LEAST, _GAP, _LINE, _WIDE, _STEP = 22, 20, 15, 150, 14
"""Pixels: height of the smallest range, of a gap, of a line of text; width of a range, and its decrease per nesting."""

_PAGE = 4096


def memory_map_svg(ranges: Sequence[Range], name: str, title: str) -> str:
    """The picture for a page, high addresses at the top. ranges: of one image, at most MOST_RANGES. name: unique id."""
    shown = stretches(ranges)
    tops: dict[int, float] = {}
    y = float(_LINE)
    for stretch in shown:
        tops[stretch.end] = y
        y += _height(stretch, ranges)
        tops[stretch.gpa] = y
    labels = [_label(one, ranges) for one in ranges]
    left = svg.text_width("0x100000000") + 10
    width = left + _WIDE + 12 + max(map(svg.text_width, labels))
    desc = "; ".join(f"{one.gpa:#x}: {label}" for one, label in zip(ranges, labels, strict=True))
    root = svg.picture(name, title=title, desc=desc, width=width, height=y + _LINE)
    for stretch in shown:
        if not stretch.within:
            svg.rect(root, "gap", left, tops[stretch.end], _WIDE, tops[stretch.gpa] - tops[stretch.end])
            svg.text(root, "muted", left + 8, tops[stretch.gpa] - 6, _gap(stretch))
    lanes = _lanes(ranges)
    step = min(_STEP, _WIDE / (max(lanes) + 2))
    for one, lane, label in zip(ranges, lanes, labels, strict=True):
        made = svg.group(root, label)
        x = lane * step
        svg.rect(made, _kind(one, ranges), left + x, tops[one.end], _WIDE - x, tops[one.gpa] - tops[one.end])
    for gpa in {one.gpa for one in ranges}:
        starting = [at for at, one in enumerate(ranges) if one.gpa == gpa]
        for line, at in enumerate(reversed(starting)):
            kind = "strong" if _is_twice(ranges[at], ranges) else "label"
            svg.text(root, kind, left + _WIDE + 12, tops[gpa] - 6 - line * _LINE, labels[at])
    for bound, top in tops.items():
        svg.text(root, "muted", 0, top + 4, f"{bound:#x}")
        svg.path(root, "tick", [(left - 6, top), (left, top)])
    return svg.markup(root)


def memory_map_lines(ranges: Sequence[Range]) -> Iterator[str]:
    """Lines for a terminal, high addresses at the top: each range is a column of blocks, each gap a line of its own."""
    lanes = _lanes(ranges)
    for stretch in stretches(ranges):
        drawn = [" "] * (max(lanes) + 1)
        for at in stretch.within:
            drawn[lanes[at]] = "\u2592" if _is_twice(ranges[at], ranges) else "\u2588"
        starting = [_label(ranges[at], ranges) for at in stretch.within if ranges[at].gpa == stretch.gpa]
        what = "; ".join(starting) if stretch.within else _gap(stretch)
        column = "".join(drawn) if stretch.within else "\u250a".ljust(len(drawn))
        yield f"{stretch.gpa:#012x} {column} {what}".rstrip()


def _height(stretch: Stretch, ranges: Sequence[Range]) -> float:
    """Pixels: grows with the logarithm of the size, with room for the labels of the ranges that begin here."""
    if not stretch.within:
        return _GAP
    labels = sum(1 for one in ranges if one.gpa == stretch.gpa)
    return max(_LEAST, 6 * log2((stretch.end - stretch.gpa) / _PAGE + 1), _LINE * labels + 6)


def _lanes(ranges: Sequence[Range]) -> list[int]:
    """The lane of each range, 0 is leftmost: ranges that overlap are in different lanes."""
    lanes: list[int] = []
    for at, one in enumerate(ranges):
        taken = {lane for lane, other in zip(lanes, ranges[:at], strict=True) if other.end > one.gpa}
        lanes.append(next(lane for lane in range(len(ranges)) if lane not in taken))
    return lanes


def _is_twice(one: Range, ranges: Sequence[Range]) -> bool:
    return any(one.overlaps(other) for other in ranges)


def _kind(one: Range, ranges: Sequence[Range]) -> str:
    if _is_twice(one, ranges):
        return "range overlap"
    return "range area" if one.order is None else "range section" if one.order else "range firmware"


def _label(one: Range, ranges: Sequence[Range]) -> str:
    order = "" if one.order is None else f", launched {_ordinal(one.order + 1)}"
    size = _size(one.size) if one.size else "NO SIZE"
    return f"{one.what}, {size}{order}{', OVERLAPS' if _is_twice(one, ranges) else ''}"


def _gap(stretch: Stretch) -> str:
    return f"gap of {_size(stretch.end - stretch.gpa)}"


def _size(size: int) -> str:
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} bytes"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
