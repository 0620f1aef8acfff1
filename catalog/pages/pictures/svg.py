"""The SVG elements of every picture: title and description for screen readers, and classes for colours."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, tostring

from catalog.fast.match_text import printable

ADVANCE = 7.3
"""Pixels: width of a character of the monospaced text."""

_ELLIPSIS = "\u2026"


def picture(name: str, *, title: str, desc: str, width: float, height: float) -> Element:
    """An empty picture.

    name: an id that is unique in its page.
    title, desc: for screen readers.
    width, height: pixels; a page with less room shrinks the picture.
    """
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "picture",
            "viewBox": f"0 0 {_number(width)} {_number(height)}",
            "width": _number(width),
            "height": _number(height),
            "role": "img",
            "aria-labelledby": f"{name}-title {name}-desc",
        },
    )
    SubElement(root, "title", {"id": f"{name}-title"}).text = printable(title)
    SubElement(root, "desc", {"id": f"{name}-desc"}).text = printable(desc)
    return root


def group(parent: Element, tip: str | None = None) -> Element:
    """A group of elements. tip: the tooltip of the group."""
    made = SubElement(parent, "g")
    if tip:
        SubElement(made, "title").text = printable(tip)
    return made


def rect(parent: Element, kind: str, x: float, y: float, width: float, height: float) -> None:
    """A rectangle. kind: a class of the style sheet, as in all functions here."""
    sides = {"x": x, "y": y, "width": width, "height": height}
    SubElement(parent, "rect", {"class": kind, **{name: _number(value) for name, value in sides.items()}})


def path(parent: Element, kind: str, points: Iterable[tuple[float, float]]) -> None:
    """A line through points."""
    SubElement(parent, "polyline", {"class": kind, "points": " ".join(f"{_number(x)},{_number(y)}" for x, y in points)})


def dot(parent: Element, kind: str, x: float, y: float, radius: float) -> None:
    """A disc around a point."""
    SubElement(parent, "circle", {"class": kind, "cx": _number(x), "cy": _number(y), "r": _number(radius)})


def text(parent: Element, kind: str, x: float, y: float, content: str, *, turned: bool = False) -> None:
    """A line of text; x, y: the start of its baseline. turned: by 90 degrees, read from the bottom up."""
    place = {"class": kind, "x": _number(x), "y": _number(y)}
    if turned:
        place["transform"] = f"rotate(-90 {_number(x)} {_number(y)})"
    SubElement(parent, "text", place).text = printable(content)


def text_width(content: str) -> float:
    """Pixels: width of a line of text."""
    return len(printable(content)) * ADVANCE


def shortened(content: str, most: int) -> str:
    """A printable text of at most `most` characters; an ellipsis replaces the middle of a longer one."""
    content = printable(content)
    if len(content) <= most:
        return content
    head = (most - 1) // 2
    return content[:head] + _ELLIPSIS + content[len(content) - (most - 1 - head) :]


def markup(root: Element) -> str:
    """The picture as text, to be placed in a page."""
    return tostring(root, encoding="unicode")


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
