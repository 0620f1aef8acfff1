"""Matrix: firmware images down, kinds of launches across; the colour and the mark of a cell say what it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.etree.ElementTree import Element

from catalog.pages.pictures import svg

_CELL, _GAP, _LINE = 17, 9, 18
"""Pixels: of a cell, between groups of columns, of a line of text."""

MOST_CHARACTERS = 60
"""Characters of an image's name that are shown."""

_SAYS_NOTHING = (" ", ".", "#")
"""Marks of cells that need no attention: they are not drawn where there are colours."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column.

    group: technology and profile, which adjacent columns can share.
    label: text of this column alone.
    """

    group: tuple[str, str]
    label: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a matrix.

    parts: number of rows by kind, which is a class of the style sheet; empty for an empty cell.
    mark: one character that says the same as the colours; a blank for none.
    tip: the cell in words.
    """

    parts: Mapping[str, int]
    mark: str
    tip: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix to draw.

    title, desc: for screen readers.
    heads: of the columns.
    rows: name of each image, and its cells.
    legend: kind, mark and meaning of each kind that occurs.
    """

    title: str
    desc: str
    heads: Sequence[Head]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    legend: Sequence[tuple[str, str, str]]


def matrix_svg(shown: Matrix, name: str) -> str:
    """The picture for a page. name: an id that is unique in the page."""
    places = _places(shown.heads)
    left = max((svg.text_width(svg.shortened(label, MOST_CHARACTERS)) for label, _ in shown.rows), default=0) + 10
    below = 2 * _LINE + max((svg.text_width(head.label) for head in shown.heads), default=0) + 8
    ends = [places[first] + max((end - first) * _CELL, _width(key)) for key, first, end in column_groups(shown.heads)]
    legend = max((_CELL + 6 + svg.text_width(meaning) for _, _, meaning in shown.legend), default=0)
    width = max(left + max(ends, default=0), legend) + 2
    height = below + len(shown.rows) * _CELL + 8 + _LINE * len(shown.legend)
    root = svg.picture(name, title=shown.title, desc=shown.desc, width=width, height=height)
    before = ""
    for (technology, profile), first, _ in column_groups(shown.heads):
        if technology != before:
            svg.text(root, "strong", left + places[first], _LINE - 5, technology)
        svg.text(root, "label", left + places[first], 2 * _LINE - 5, profile)
        before = technology
    for at, head in enumerate(shown.heads):
        svg.text(root, "label", left + places[at] + _CELL - 5, below - 4, head.label, turned=True)
    for number, (label, cells) in enumerate(shown.rows):
        y = below + number * _CELL
        row = svg.group(root, label)
        svg.text(row, "label", 0, y + _CELL - 5, svg.shortened(label, MOST_CHARACTERS))
        for x, cell in zip(places, cells, strict=True):
            made = svg.group(root, cell.tip)
            _draw(made, cell, left + x, y)
    y = below + len(shown.rows) * _CELL + 8
    for number, (kind, mark, meaning) in enumerate(shown.legend):
        entry = svg.group(root)
        _draw(entry, Cell({kind: 1} if kind else {}, mark, ""), 0, y + number * _LINE)
        svg.text(entry, "label", _CELL + 6, y + number * _LINE + _CELL - 5, meaning)
    return svg.markup(root)


def column_groups(heads: Sequence[Head]) -> Iterator[tuple[tuple[str, str], int, int]]:
    """Each group, the index of its first column, and the index after its last."""
    first = 0
    for key, members in groupby(heads, key=lambda head: head.group):
        end = first + len(list(members))
        yield key, first, end
        first = end


def heads_by_line(heads: Sequence[Head]) -> dict[str, list[tuple[str, int]]]:
    """The first two lines of the heads of a table: `technologies` and `profiles`, each with its number of columns."""
    profiles = [(key, end - first) for key, first, end in column_groups(heads)]
    by_technology = groupby(profiles, key=lambda group: group[0][0])
    return {
        "technologies": [(name, sum(columns for _, columns in groups)) for name, groups in by_technology],
        "profiles": [(profile, columns) for (_, profile), columns in profiles],
    }


def _places(heads: Sequence[Head]) -> list[float]:
    """Pixels from the first column to each column; a group is at least as wide as its name."""
    places: list[float] = []
    x = 0.0
    for key, first, end in column_groups(heads):
        places += [x + _CELL * number for number in range(end - first)]
        x += max((end - first) * _CELL, _width(key)) + _GAP
    return places


def _width(names: tuple[str, str]) -> float:
    return svg.text_width(max(names, key=len))


def _draw(parent: Element, cell: Cell, x: float, y: float) -> None:
    """Draw the parts of a cell side by side, as wide as their share of its rows, but wide enough to be seen."""
    room = _CELL - 1
    if not cell.parts:
        svg.rect(parent, "nothing", x, y, room, room)
    all_rows, at = sum(cell.parts.values()), x
    widths = [max(3.0, room * rows / all_rows) for rows in cell.parts.values()]
    for kind, width in zip(cell.parts, widths, strict=True):
        drawn = width * room / sum(widths)
        svg.rect(parent, f"cell {kind}", at, y, drawn, room)
        at += drawn
    if cell.mark not in _SAYS_NOTHING:
        kind = ("label", "mark", "mark mixed")[min(len(cell.parts), 2)]
        svg.text(parent, kind, x + (room - svg.ADVANCE) / 2, y + _CELL - 5, cell.mark)
