"""The heat map of a diff: how rows changed, for each firmware image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from catalog.diff.heat import UNCHANGED, Column, Heat
from catalog.diff.row_changes import ADDED, REVOCATIONS, RULE_CHANGED, WITHDRAWN
from catalog.pages.pictures.matrix import Cell, Head, Matrix

MOST_IMAGES = 200
"""Images that are drawn; those without changes are left out first."""

_MARKS = {RULE_CHANGED: "!", WITHDRAWN: "-", ADDED: "+", **dict.fromkeys(REVOCATIONS, "x"), UNCHANGED: "."}
"""The mark of a cell is that of the first of these changes that it has."""

_MEANINGS = {RULE_CHANGED: "rule changed: the same inputs have another digest", UNCHANGED: "unchanged"}


def heat_matrix(heat: Heat, *, whole: bool = True) -> Matrix:
    """The matrix of a heat map. Images beyond MOST_IMAGES are only counted, in its description.

    whole: with the images that did not change.
    """
    changed = [row for row in heat.rows if any(cell.keys() - {UNCHANGED} for cell in row[1])]
    shown = heat.rows if whole and len(heat.rows) <= MOST_IMAGES else changed[:MOST_IMAGES]
    counts: Counter[str] = Counter()
    for _, cells in heat.rows:
        for cell in cells:
            counts.update(cell)
    summary = ", ".join(f"{counts[kind]:,} {kind}" for kind in _MARKS if counts[kind])
    left_out = len(heat.rows) - len(shown)
    return Matrix(
        title="What changed, by firmware image, VMM profile and vCPU count",
        desc=f"{len(heat.rows):,} images, of which {len(changed):,} changed. Launch digests: {summary or 'none'}."
        + (f" {left_out:,} images are not drawn." if left_out else ""),
        heads=[Head((one.technology, one.vmm or ""), one.counts) for one in heat.columns],
        rows=[
            (image.label, [_cell(image.label, *pair) for pair in zip(heat.columns, cells, strict=True)])
            for image, cells in shown
        ],
        legend=[(kind, mark, _MEANINGS.get(kind, kind)) for kind, mark in _MARKS.items() if counts[kind]],
    )


def _cell(image: str, column: Column, counts: Mapping[str, int]) -> Cell:
    parts = {kind: counts[kind] for kind in reversed(_MARKS) if counts.get(kind)}
    where = " ".join(part for part in (column.technology, column.vmm) if part)
    vcpus = f", {column.counts} vCPUs" if column.counts else ""
    text = ", ".join(f"{rows:,} {kind}" for kind, rows in parts.items()) or "no digests"
    return Cell(
        parts,
        next((mark for kind, mark in _MARKS.items() if kind in parts), " "),
        f"{image}, {where}{vcpus}: {text}",
    )
