"""Where two launches diverge: a line that forks at the first launch update that differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element

from catalog.explain.divergence import Divergence
from catalog.pages.pictures import svg

_LINE, _MARGIN, _DOT, _SPREAD = 24, 14, 5, 22
"""Pixels: from stop to stop, from the edge to the first stop, radius of a stop, between the two lines."""

_NOTHING = "nothing more"


def parting_svg(shown: Divergence, name: str) -> str:
    """The picture for a page. name: an id that is unique in the page."""
    shared, after = ([stop.text() for stop in stops] for stops in (shown.shared, shown.after))
    ways = {"expected": [stop.text() for stop in shown.expected], "found": [stop.text() for stop in shown.found]}
    called = {"expected": shown.called, "found": "found"}
    sides = [side for side, texts in ways.items() for _ in texts or [_NOTHING]]
    beginnings = [f"{called[side]}: {text}" for side, texts in ways.items() for text in texts or [_NOTHING]]
    lines = {"expected": float(_MARGIN), "found": float(_MARGIN + _SPREAD)}
    labels = lines["found"] + _SPREAD
    both = [f"both: {text}" for text in after]
    width = labels + max(map(svg.text_width, (*shared, *shown.reasons, *beginnings, *both))) + _MARGIN
    fork = _MARGIN + len(shared) * _LINE
    below = fork + len(shown.reasons) * _LINE
    end = below + (len(beginnings) + len(after)) * _LINE
    root = svg.picture(
        name,
        title="Where the two launches diverge",
        desc=f"{shown.technology}: they share {'; '.join(shared) or 'nothing'}. {'; '.join(shown.reasons)}. "
        f"{'; '.join([*beginnings, *both])}.",
        width=width,
        height=end,
    )
    svg.path(root, "line shared", [(lines["expected"], _MARGIN), (lines["expected"], fork)])
    last = {"expected": len(ways["expected"]) - 1, "found": len(beginnings) - 1}
    for side, x in lines.items():
        bottom = end - _LINE if after else below + max(last[side], 0) * _LINE
        svg.path(root, f"line {side}", [(lines["expected"], fork), (x, fork + x - lines["expected"]), (x, bottom)])
    for number, text in enumerate(shared):
        _stop(root, "shared", [lines["expected"]], _MARGIN + number * _LINE, labels, text)
    svg.dot(root, "fork", lines["expected"], fork, _DOT + 2)
    for number, reason in enumerate(shown.reasons):
        svg.text(root, "strong", labels, fork + number * _LINE + 4, reason)
    for number, (side, text) in enumerate(zip(sides, beginnings, strict=True)):
        _stop(root, side, [lines[side]], below + number * _LINE, labels, text)
    for number, text in enumerate(both, len(beginnings)):
        _stop(root, "shared", lines.values(), below + number * _LINE, labels, text)
    return svg.markup(root)


def parting_lines(shown: Divergence) -> Iterator[str]:
    """The same as lines of text, for a terminal and for files."""
    for stop in shown.shared:
        yield f"* {stop.text()}"
    for number, reason in enumerate(shown.reasons):
        yield ("|   " if number else "|\\  ") + reason
    for stop in shown.expected:
        yield f"o | {shown.called}: {stop.text()}"
    if not shown.expected:
        yield f"x | {shown.called}: {_NOTHING}"
    for stop in shown.found:
        yield f"  o found: {stop.text()}"
    if not shown.found:
        yield f"  x found: {_NOTHING}"
    for stop in shown.after:
        yield f"o o both: {stop.text()}"


def _stop(root: Element, kind: str, lines: Iterable[float], y: float, labels: float, text: str) -> None:
    for x in lines:
        svg.dot(root, f"stop {kind}", x, y, _DOT)
    svg.text(root, "label", labels, y + 4, text)
