"""A matrix in a terminal: half a block character for each cell with colours, or its mark without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING

from catalog.fast.match_text import printable
from catalog.pages.pictures.matrix import MOST_CHARACTERS, Cell, Matrix, column_groups
from catalog.pages.pictures.svg import shortened

if TYPE_CHECKING:
    from rich.text import Text

_LEFT, _RIGHT = "\u258c", "\u2590"
"""The halves of a block."""

_COLOURS = {
    "unchanged": "bright_black",
    "added": "green",
    "withdrawn": "red",
    "rule-changed": "yellow",
    "revoked": "magenta",
    "deprecated": "magenta",
    "restored": "magenta",
    "covered": "blue",
    "not-expected": "yellow",
}


def matrix_lines(shown: Matrix, *, colours: bool) -> Iterator[Text]:
    """A line of letters, one for each group of columns; a line for each image; then what letters and marks mean."""
    from rich.text import Text

    groups = list(column_groups(shown.heads))
    letters = [ascii_uppercase[number] if number < len(ascii_uppercase) else "?" for number in range(len(groups))]
    labels = [shortened(label, MOST_CHARACTERS) for label, _ in shown.rows]
    margin = max(map(len, labels), default=0) + 2
    widths = [-(-(end - first) // 2) if colours else end - first for _, first, end in groups]
    head = " ".join(letter.ljust(width) for letter, width in zip(letters, widths, strict=True))
    yield Text(" " * margin + head.rstrip())
    for label, (_, cells) in zip(labels, shown.rows, strict=True):
        line = Text(label.ljust(margin))
        for number, (_, first, end) in enumerate(groups):
            some = cells[first:end]
            line.append(" " if number else "")
            line.append_text(_halves(shown, some) if colours else Text("".join(cell.mark for cell in some)))
        yield line
    for letter, ((technology, profile), first, end) in zip(letters, groups, strict=True):
        columns = [head.label for head in shown.heads[first:end] if head.label]
        yield Text(printable("  ".join(part for part in (letter, technology, profile, " ".join(columns)) if part)))
    for kind, mark, meaning in shown.legend:
        drawn = Text(_LEFT, _COLOURS[kind]) if colours and kind else Text(mark)
        yield drawn.append(printable(f"  {meaning}"), "default")


def _halves(shown: Matrix, cells: Sequence[Cell]) -> Text:
    """Two cells in each character: the left half has the colour of the first, the right half that of the second."""
    from rich.text import Text

    kinds = [_strongest(shown, cell) for cell in cells] + [None] * (len(cells) % 2)
    drawn = Text()
    for left, right in zip(kinds[::2], kinds[1::2], strict=True):
        if left is None:
            drawn.append(" " if right is None else _RIGHT, None if right is None else _COLOURS[right])
        else:
            drawn.append(_LEFT, _COLOURS[left] + ("" if right is None else f" on {_COLOURS[right]}"))
    return drawn


def _strongest(shown: Matrix, cell: Cell) -> str | None:
    """The first kind of the legend that the cell has; None if it has none."""
    return next((kind for kind, _, _ in shown.legend if kind in cell.parts), None)
