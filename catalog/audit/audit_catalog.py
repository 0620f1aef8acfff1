"""Audit of a whole catalog: files, rows, components, and digests recomputed from the catalog's own components."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

import pyarrow as pa

from catalog.audit.audit import AuditFinding, odd, unchecked, wrong
from catalog.audit.audit_endorsed import endorsed_findings
from catalog.audit.audit_files import file_findings
from catalog.audit.audit_leaves import leaf_findings
from catalog.audit.audit_release import LogAudit
from catalog.audit.audit_rows import component_findings, order_findings, read_parts, unique_findings
from catalog.audit.recompute import Recomputation
from catalog.audit.regenerated import Regenerated, regenerate
from catalog.audit.table_piece import table_piece
from catalog.errors import LdcatError
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.igvm.igvm_component import IgvmComponent
from catalog.launch.hashing.backends import HashBackend
from catalog.log.revocations import Revocations
from catalog.rows.unknown import unknown_technology
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.follows import all_faults
from catalog.work.engine import Engine
from catalog.work.progress import Progress, StartProgress

_DIGESTS_NAMED = 20

_RULES = {manifest.NAMES: "names", manifest.INDEX: "index", manifest.ENDORSED: "endorsed"}
"""Rules of derived files; those that are not listed belong to the rule "follows"."""


def catalog_findings(
    catalog: Catalog,
    images: Sequence[FirmwareBuild],
    remeasure: int | None,
    *,
    log: LogAudit | None = None,
    engine: Engine,
    backend: HashBackend,
    start_progress: StartProgress,
    recomputed: Progress,
) -> Iterator[AuditFinding]:
    """Yield all findings about a catalog, and first those about its rows as leaves.

    log: the audit of its log, if it is of a release.
    images: builds made from image files, to compare with their records.
    remeasure: number of rows of each technology whose digests are compared with recomputed ones; None for all.
    start_progress: called with the name and the number of rows of each technology.
    recomputed: called with numbers of rows whose digests were recomputed and compared.
    """
    of_files = list(file_findings(catalog, engine))
    right: dict[str, Regenerated] = {}
    if not {finding.rule for finding in of_files} & {"file", "tree"}:
        for technology, entry in catalog.manifest.known.items():
            all_chosen = remeasure is None or remeasure >= entry.rows
            if not entry.parts or not (all_chosen or backend.compiled):  # to look at each row costs less than Python
                continue
            progress = start_progress(technology, entry.rows)
            history = log.history if log else None
            right[technology] = regenerate(
                catalog, technology, engine=engine, backend=backend, progress=progress, history=history
            )
    if log and catalog.release:
        logged = all(right.get(name, Regenerated()).logged for name, of in catalog.manifest.known.items() if of.parts)
        yield from leaf_findings(catalog.release, catalog, log, logged=logged)
    yield from of_files
    yield from _guarded("image", _image_findings(catalog, images))
    malformed = set()
    for derived, fault in all_faults(catalog.components, [name for name, found in right.items() if found.whole]):
        malformed.add(derived.file)
        yield wrong(_RULES.get(derived.file, "follows"), derived.file, fault)
    if manifest.ENDORSED not in malformed:
        yield from _guarded("endorsed", endorsed_findings(catalog))
    for technology, entry in catalog.manifest.unknown.items():
        what = "not recomputed, nor is their index compared, nor the spec of the catalog"
        yield unchecked(technology, unknown_technology(technology, entry.rows, what).text)
    for technology, entry in catalog.manifest.known.items():
        same, chosen = right.get(technology, Regenerated()), entry.rows if remeasure is None else remeasure
        if same.whole:
            yield from _profile_findings(catalog)
            recomputed(min(chosen, entry.rows))
            continue
        progress = start_progress(technology, entry.rows)
        yield from _technology_findings(catalog, technology, chosen, same.parts, engine, backend, progress, recomputed)
        yield from unique_findings(catalog, technology)


def _technology_findings(
    catalog: Catalog,
    technology: str,
    chosen: int,
    same: Container[int],
    engine: Engine,
    backend: HashBackend,
    progress: Progress,
    recomputed: Progress,
) -> Iterator[AuditFinding]:
    """Audit the rows of a technology part by part, so that only one part is in memory.

    same: numbers of the parts that are equal to generated rows.
    """
    entry, rows = catalog.manifest.technologies[technology], 0
    of_tables: list[AuditFinding] = []
    for part in read_parts(catalog, technology, of_tables):
        places = _chosen(rows, len(part.table), chosen, entry.rows)
        if part.number in same:
            yield from _profile_findings(catalog)
            recomputed(len(places))
        else:
            yield from order_findings(part)
            yield from _guarded("component", component_findings(catalog, part))
            table = part.table.take(pa.array(places, pa.int64()))
            yield from _guarded("digest", _digest_findings(catalog, part.name, table, engine, backend, recomputed))
        rows += len(part.table)
        progress(len(part.table))
    yield from of_tables


def _guarded(rule: str, findings: Iterator[AuditFinding]) -> Iterator[AuditFinding]:
    """Yield findings; an error that stops the check is a finding, too, of the catalog."""
    try:
        yield from findings
    except LdcatError as failure:
        yield wrong(rule, "catalog", str(failure))


def _image_findings(catalog: Catalog, images: Sequence[FirmwareBuild]) -> Iterator[AuditFinding]:
    by_hash = {build.component.key: build for build in catalog.builds.values()}
    by_baseline = {one: build for build in catalog.builds.values() if (one := build.component.snp_baseline)}
    for image in images:
        known = by_hash.get(image.component.key) or by_baseline.get(image.component.snp_baseline or b"")
        if known is None:
            yield odd("image", image.name, "no build of the catalog is this image")
        elif not _agrees(known, image):
            yield wrong("image", image.name, f"the record of {known.name} describes another component")


def _agrees(known: FirmwareBuild, image: FirmwareBuild) -> bool:
    """Whether all that a record says of an image or an IGVM file is true."""
    if isinstance(known.component, IgvmComponent) and isinstance(image.component, IgvmComponent):
        return known.component.agrees_with(image.component)
    return known.image.agrees_with(image.image)


def _digest_findings(
    catalog: Catalog, name: str, table: pa.Table, engine: Engine, backend: HashBackend, recomputed: Progress
) -> Iterator[AuditFinding]:
    piece = table_piece(table) if len(table) else None
    made = _recomputation(catalog)
    others, made_again = 0, len(table)
    yield from _profile_findings(catalog)
    for found in made.differences_of_piece(piece, engine, backend, lambda _: None) if piece else ():
        if found.row is None:
            made_again -= found.rows
            yield wrong("digest", name, found.what)
        elif (others := others + 1) <= _DIGESTS_NAMED:
            yield wrong("digest", found.row.launch_digest, f"its inputs give {found.recomputed}")
    if others > _DIGESTS_NAMED:
        yield wrong("digest", name, f"and {others - _DIGESTS_NAMED:,} more digests are wrong")
    recomputed(made_again)


def _profile_findings(catalog: Catalog) -> Iterator[AuditFinding]:
    """Yield VMM profiles that differ from those of this version; digests are recomputed with those of the catalog."""
    for found in _recomputation(catalog).foreign_profiles():
        yield odd("profile", "catalog", found.what)


def _recomputation(catalog: Catalog) -> Recomputation:
    return Recomputation(catalog, catalog.release.number if catalog.release else 0, Revocations(()))


def _chosen(first: int, count: int, chosen: int, rows: int) -> Sequence[int]:
    """Rows of a part to measure, if `chosen` of all `rows` are spread evenly. first: number of the part's first row."""
    if chosen >= rows:
        return range(count)
    begin, end = (-(-at * chosen // rows) for at in (first, first + count))
    return [place for number in range(begin, end) if (place := number * rows // chosen - first) < count]
