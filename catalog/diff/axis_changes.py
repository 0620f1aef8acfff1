"""Compares the axes of two catalogs: values that the rows of a technology gained or lost, over all images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from catalog.diff.component_changes import ComponentChange
from catalog.rows import fields
from catalog.rows.numbers import as_ranges
from catalog.store.catalog_axes import Axes

AXES = {field.name: field.plural for field in fields.INPUTS if field.name not in ("technology", *fields.IDENTITY)}
"""The axes on which rows of one image, or base, and technology differ, with their labels."""

_NUMBERS = tuple(field.name for field in fields.AXES)
"""Axes that are not components; changes of components are reported separately."""


Values = Mapping[tuple[str, str], Mapping[str, set[Any]]]
"""The values of each axis, by technology and by what identifies the image or the base, in hex."""


def axis_changes(old: Values, new: Values) -> Iterator[ComponentChange]:
    """The changes of technologies that both catalogs have."""
    before, after = _of_technologies(old), _of_technologies(new)
    for technology in sorted(before.keys() & after.keys()):
        for axis in _NUMBERS:
            values = before[technology][axis], after[technology][axis]
            for change, some in (("gone", values[0] - values[1]), ("added", values[1] - values[0])):
                if some - {None}:
                    what = listed(axis, sorted(some - {None}), {})
                    yield ComponentChange(f"{technology} {AXES[axis]}", "", change, what)


def collect_values(axes: Sequence[Axes]) -> Values:
    """The values that occur in a catalog."""
    found: dict[tuple[str, str], dict[str, set[Any]]] = {}
    for one in axes:
        values = found.setdefault((one.technology, one.identity), {axis: set() for axis in AXES})
        values["kernel_hashes_sha256"].add(one.kernel_hashes)
        values["vmm"].add(one.vmm)
        for axis, some in zip(_NUMBERS, (one.signatures, one.features, one.counts), strict=True):
            values[axis] |= set(some) or {None}
    return found


def listed(axis: str, values: Sequence[str | int | None], kernels: Mapping[str, str]) -> str:
    """Values of an axis as text for people. kernels: names of kernel hashes tables by SHA-256."""
    if axis == "vcpus":
        return as_ranges(sorted(value for value in values if isinstance(value, int)))
    if axis == "kernel_hashes_sha256":
        return ", ".join("none" if value is None else kernels.get(str(value), str(value)) for value in values)
    field = fields.BY_NAME[axis]
    return ", ".join("none" if value is None else str(field.text(value)) for value in values)


def _of_technologies(values: Values) -> Mapping[str, Mapping[str, set[Any]]]:
    """The values of each axis by technology, over all images."""
    found: dict[str, dict[str, set[Any]]] = {}
    for (technology, _), axes in values.items():
        together = found.setdefault(technology, {axis: set() for axis in AXES})
        for axis, some in axes.items():
            together[axis] |= some
    return found
