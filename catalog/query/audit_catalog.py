"""Audit of a whole catalog: files, rows, components, and the digests once more, from what the catalog itself says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from catalog.errors import LdcatError
from catalog.firmware.build import FirmwareBuild
from catalog.launch.native.paths import Kernels
from catalog.query.audit import AuditFinding, odd, wrong
from catalog.query.audit_files import file_findings
from catalog.query.audit_rows import (
    Part,
    component_findings,
    index_findings,
    order_findings,
    parts_of,
    unique_findings,
)
from catalog.query.finding import Severity
from catalog.query.recompute import EqualRows, Inputs, Recomputation
from catalog.query.store import Catalog
from catalog.release.engine import Engine
from catalog.release.enumeration import Progress
from catalog.release.records import INPUTS, parse_row
from catalog.release.revocations import Revocations
from catalog.release.row_leaves import row_leaves

_DIGESTS_NAMED = 20

Begin = Callable[[str, int], Progress]


def catalog_findings(
    catalog: Catalog,
    images: Sequence[FirmwareBuild],
    remeasure: int | None,
    *,
    engine: Engine,
    kernels: Kernels,
    begin: Begin,
) -> Iterator[AuditFinding]:
    """All findings. images: builds from image files. remeasure: rows to measure again, of each technology; None: all.

    begin: told of what is done, and of how many rows.
    """
    yield from file_findings(catalog)
    yield from _guarded("image", _image_findings(catalog, images))
    for technology, entry in catalog.manifest.technologies.items():
        findings: list[AuditFinding] = []
        parts = parts_of(catalog, technology, findings)
        yield from findings
        for part in parts:
            yield from order_findings(part)
        yield from _guarded("component", component_findings(catalog, parts))
        yield from unique_findings(technology, parts)
        if entry.parts:
            yield from index_findings(catalog, technology, parts)
        yield from _guarded("digest", _digest_findings(catalog, parts, remeasure, engine, kernels, begin))


def _guarded(rule: str, findings: Iterator[AuditFinding]) -> Iterator[AuditFinding]:
    """What cannot be looked at is a finding, too: of what the rest rests on."""
    try:
        yield from findings
    except LdcatError as failure:
        yield wrong(rule, "catalog", str(failure))


def _image_findings(catalog: Catalog, images: Sequence[FirmwareBuild]) -> Iterator[AuditFinding]:
    by_image = {build.component.sha256: build for build in catalog.builds.values()}
    for image in images:
        known = by_image.get(image.component.sha256)
        if known is None:
            yield odd("image", image.name, "no build of the catalog is this image")
        elif known.component != image.component:
            yield wrong("image", image.name, f"what {known.name} records of it is something else")


def _digest_findings(
    catalog: Catalog, parts: Sequence[Part], remeasure: int | None, engine: Engine, kernels: Kernels, begin: Begin
) -> Iterator[AuditFinding]:
    tables = _chosen(parts, remeasure)
    groups: dict[Inputs, EqualRows] = {}
    for leaf in (leaf for table in tables for leaf in row_leaves(table)):
        row = parse_row(leaf)
        inputs = tuple(getattr(row, name) for name in INPUTS if name != "vcpus")
        groups.setdefault(inputs, EqualRows()).add(row)
    progress = begin("measured", sum(map(len, tables)))
    number = catalog.release.number if catalog.release else 0
    others = 0
    for found in Recomputation(catalog, number, Revocations(())).differences(groups, engine, kernels, progress):
        if found.row is None:
            is_error = found.severity is Severity.ERROR
            yield (
                wrong("digest", catalog.manifest.name, found.what)
                if is_error
                else odd("profile", "catalog", found.what)
            )
            continue
        others += 1
        if others <= _DIGESTS_NAMED:
            yield wrong("digest", found.row.launch_digest, f"its inputs give {found.recomputed}")
    if others > _DIGESTS_NAMED:
        yield wrong("digest", catalog.manifest.name, f"and {others - _DIGESTS_NAMED:,} more digests are others")


def _chosen(parts: Sequence[Part], remeasure: int | None) -> list[pa.Table]:
    """All rows, or so many of them, from all over the parts."""
    tables = [part.table for part in parts]
    rows = sum(map(len, tables))
    if remeasure is None or remeasure >= rows:
        return tables
    numbers = [number * rows // remeasure for number in range(remeasure)]
    return [pa.concat_tables(tables).take(numbers)] if numbers else []
