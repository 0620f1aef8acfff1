"""Heat: how many rows of each image changed, by technology, VMM profile and vCPU counts; drawn as a heat map."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.diff.row_changes import IDENTITY, WITHDRAWN
from catalog.store.catalog import Catalog
from catalog.store.catalog_axes import Axes
from catalog.store.images import Image, images

UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Column:
    """Rows of a technology under a VMM profile, with vCPU counts from `first` to `last`; None if not measured."""

    technology: str
    vmm: str | None
    first: int | None
    last: int | None

    @property
    def counts(self) -> str:
        """The vCPU counts, for people; empty if vCPUs are not measured."""
        return "" if self.first is None else str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Heat:
    """A heat map: each image with one cell for each column. A cell has numbers of rows by change; it can be empty."""

    columns: Sequence[Column]
    rows: Sequence[tuple[Image, Sequence[Mapping[str, int]]]]


def heat(connection: Any, axes: Sequence[Axes], catalogs: Sequence[Catalog]) -> Heat:
    """The heat map of a diff.

    connection: of `row_changes`.
    axes: those of the new catalog.
    catalogs: they have the names of the images; the new one is first.
    """
    changed = connection.execute(
        f"SELECT change, technology, {IDENTITY}, vmm, vcpus, count(*) FROM changes GROUP BY ALL"  # noqa: S608 - ours
    ).fetchall()
    cells: defaultdict[tuple[str, str, str | None, int], Counter[str]] = defaultdict(Counter)
    ends: dict[tuple[str, str | None, int], set[int]] = {}
    for one in axes:
        for count in one.counts or (0,):
            cells[one.identity, one.technology, one.vmm, _bin(count)][UNCHANGED] += one.each
            ends.setdefault((one.technology, one.vmm, _bin(count)), set()).add(count)
    for change, technology, key, vmm, count, many in changed:
        cell = cells[key.hex(), technology, vmm, _bin(count or 0)]
        cell[change] += many
        if change != WITHDRAWN:
            cell[UNCHANGED] -= many
        ends.setdefault((technology, vmm, _bin(count or 0)), set()).add(count or 0)
    places = sorted(ends, key=lambda place: (place[0], place[1] or "", place[2]))
    columns = [
        Column(technology, vmm, min(ends[technology, vmm, number]) or None, max(ends[technology, vmm, number]) or None)
        for technology, vmm, number in places
    ]
    rows = [
        (image, [+cells.get((image.key, *place), Counter()) for place in places])
        for image in images({key for key, *_ in cells}, catalogs)
    ]
    return Heat(columns, rows)


def _bin(count: int) -> int:
    """Number of the bin of a vCPU count. Bins are 1; 2; 3 and 4; 5 to 8; and so on. 0 is for "not measured"."""
    return count and (count - 1).bit_length() + 1
