"""SVG elements that every picture is made of: a title and a description for screen readers, and classes for colours."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, tostring

from catalog.fast.match_text import printable

FONT = 12
"""Pixels of the text."""

ADVANCE = 7.3
"""Pixels that a character of the text takes: it is monospaced."""

_ELLIPSIS = "\u2026"


def picture(name: str, *, title: str, desc: str, width: float, height: float) -> Element:
    """An empty picture. name: unique in its page. width, height: in pixels, as it is shown where there is room."""
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
    """Elements that belong together. tip: what is shown of them when they are pointed at."""
    made = SubElement(parent, "g")
    if tip:
        SubElement(made, "title").text = printable(tip)
    return made


def rect(parent: Element, kind: str, x: float, y: float, width: float, height: float) -> None:
    """kind: a class of the style sheet, as everywhere here."""
    sides = {"x": x, "y": y, "width": width, "height": height}
    SubElement(parent, "rect", {"class": kind, **{name: _number(value) for name, value in sides.items()}})


def path(parent: Element, kind: str, points: Iterable[tuple[float, float]]) -> None:
    """A line through points."""
    SubElement(parent, "polyline", {"class": kind, "points": " ".join(f"{_number(x)},{_number(y)}" for x, y in points)})


def dot(parent: Element, kind: str, x: float, y: float, radius: float) -> None:
    """A disc around a point."""
    SubElement(parent, "circle", {"class": kind, "cx": _number(x), "cy": _number(y), "r": _number(radius)})


def text(parent: Element, kind: str, x: float, y: float, content: str, *, turned: bool = False) -> None:
    """A line of text from its base line on. turned: it is read from below."""
    place = {"class": kind, "x": _number(x), "y": _number(y)}
    if turned:
        place["transform"] = f"rotate(-90 {_number(x)} {_number(y)})"
    SubElement(parent, "text", place).text = printable(content)


def text_width(content: str) -> float:
    """Pixels of a line of text."""
    return len(printable(content)) * ADVANCE


def shortened(content: str, most: int) -> str:
    """A text of at most so many characters, all printable: what is in its middle is left out."""
    content = printable(content)
    if len(content) <= most:
        return content
    head = (most - 1) // 2
    return content[:head] + _ELLIPSIS + content[len(content) - (most - 1 - head) :]


def markup(root: Element) -> str:
    """As it stands in a page."""
    return tostring(root, encoding="unicode")


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
