"""Heat: how many rows of each image changed, by technology, VMM profile and vCPU counts: what a picture shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.query.axes import axes_of
from catalog.query.row_changes import WITHDRAWN
from catalog.query.store import Catalog

UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Column:
    """Rows of a technology under a profile, with some vCPU counts: from `first` to `last`; None: not measured."""

    technology: str
    vmm: str | None
    first: int | None
    last: int | None

    @property
    def counts(self) -> str:
        """For people; empty where vCPUs are not measured."""
        return "" if self.first is None else str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Image:
    """A firmware image, by SHA-256 in hex, and the names of its builds."""

    sha256: str
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """What people call it."""
        return ", ".join(self.names) or self.sha256


@dataclass(frozen=True, slots=True)
class Heat:
    """rows: of each image, in order, for each column how many rows there are of each kind of change; none: empty."""

    columns: Sequence[Column]
    rows: Sequence[tuple[Image, Sequence[Mapping[str, int]]]]


def heat(connection: Any, old: Catalog, new: Catalog, technologies: Sequence[str]) -> Heat:
    """connection: of `row_changes`. technologies: those that were compared. Raises as `axes_of`."""
    changed = connection.execute(
        "SELECT change, technology, firmware_sha256, vmm, vcpus, count(*) FROM changes GROUP BY ALL"
    ).fetchall()
    cells: defaultdict[tuple[str, str, str | None, int], Counter[str]] = defaultdict(Counter)
    ends: dict[tuple[str, str | None, int], set[int]] = {}
    for firmware, technology, vmm, counts, each in _every(new, technologies):
        for count in counts or (0,):
            cells[firmware, technology, vmm, _bin(count)][UNCHANGED] += each
            ends.setdefault((technology, vmm, _bin(count)), set()).add(count)
    for change, technology, firmware, vmm, count, many in changed:
        cell = cells[firmware.hex(), technology, vmm, _bin(count or 0)]
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
        (image, [+cells.get((image.sha256, *place), Counter()) for place in places])
        for image in images({sha256 for sha256, *_ in cells}, new, old)
    ]
    return Heat(columns, rows)


def images(wanted: Iterable[str], *catalogs: Catalog) -> list[Image]:
    """Images by SHA-256 in hex, with the names that the first catalog has which knows them, by name."""
    found = []
    for sha256 in wanted:
        known = (catalog.firmware.get(bytes.fromhex(sha256)) for catalog in catalogs)
        rows = next((rows for rows in known if rows), [])
        found.append(Image(sha256, tuple(sorted(row["name"] for row in rows))))
    return sorted(found, key=lambda image: (not image.names, image.label))


def _every(catalog: Catalog, technologies: Sequence[str]) -> Iterable[tuple[str, str, str | None, Sequence[int], int]]:
    """Image, technology, profile, vCPU counts, and how many rows there are of each count."""
    for axes in axes_of(catalog, technologies):
        rows = max(1, len(axes.signatures)) * max(1, len(axes.features))
        yield axes.firmware, axes.technology, axes.vmm, axes.counts, rows


def _bin(count: int) -> int:
    """1; 2; 3 and 4; 5 to 8; and so on. 0: no vCPU is measured."""
    return count and (count - 1).bit_length() + 1
