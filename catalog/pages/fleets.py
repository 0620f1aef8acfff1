"""The page of platforms: whose firmware a catalog has, and who endorses launch digests in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from catalog.imports.dates import day
from catalog.pages.catalog_facts import page_title
from catalog.pages.html import page
from catalog.rows.endorsed_record import REPORTED, EndorsedRecord
from catalog.store.catalog import Catalog
from catalog.store.catalog_axes import Axes, read_axes
from catalog.store.endorsements import short_name

MOST_DIGESTS = 100
"""Digests of an endorser that are listed."""


@dataclass
class _Endorser:
    """What a catalog has of an endorser. inferred: rows that follow from its digests."""

    records: list[EndorsedRecord] = field(default_factory=list)
    inferred: int = 0


def fleets_page(catalog: Catalog, *, served: bool) -> bytes:
    """The page. served: as for `views.lookup_page`. Raises VerificationFailed for a damaged catalog."""
    blocks = read_axes(catalog, catalog.manifest.known)
    endorsed, reported = _by_endorser(catalog, blocks)
    return page(
        "fleets.html",
        "",
        title=page_title(catalog),
        publishers=_publishers(catalog, [axes for axes in blocks if not axes.is_base]),
        endorsers=[_shown(name, found) for name, found in sorted(endorsed.items())],
        reported=[_shown(name, found) for name, found in sorted(reported.items())],
        most=MOST_DIGESTS,
        served=served,
    )


def _publishers(catalog: Catalog, blocks: Sequence[Axes]) -> list[dict[str, Any]]:
    """Who published builds: how many, their rows by technology, and the VMM profiles of these."""
    builds: defaultdict[str, list[str]] = defaultdict(list)
    by_image: dict[str, set[str]] = {}
    for name, build in sorted(catalog.builds.items()):
        publisher = build.origin.distribution if build.origin and build.origin.distribution else ""
        builds[publisher].append(name)
        by_image.setdefault(build.component.key.hex(), set()).add(publisher)
    rows: Counter[tuple[str, str]] = Counter()
    profiles: defaultdict[str, set[str]] = defaultdict(set)
    for axes in blocks:
        for publisher in by_image.get(axes.identity, ()):
            rows[publisher, axes.technology] += axes.rows
            profiles[publisher].update(filter(None, [axes.vmm]))
    return [
        {
            "name": publisher,
            "builds": f"{len(names):,}",
            "rows": [(name, f"{rows[publisher, name]:,}") for name in catalog.manifest.known if rows[publisher, name]],
            "profiles": sorted(profiles[publisher]),
        }
        for publisher, names in sorted(builds.items())
    ]


def _by_endorser(catalog: Catalog, blocks: Sequence[Axes]) -> tuple[dict[str, _Endorser], dict[str, _Endorser]]:
    """Those that endorse digests, and where digests were seen that nobody endorses, by name."""
    endorsed: defaultdict[str, _Endorser] = defaultdict(_Endorser)
    reported: defaultdict[str, _Endorser] = defaultdict(_Endorser)
    inferred: Counter[str] = Counter()
    for axes in blocks:
        inferred[axes.identity] += axes.rows if axes.is_base else 0
    for record in catalog.endorsements.records:
        found = (reported if record.endorser.scheme == REPORTED else endorsed)[short_name(record)]
        found.records.append(record)
        found.inferred += inferred.pop(record.launch_digest, 0)
    return endorsed, reported


def _shown(name: str, found: _Endorser) -> dict[str, Any]:
    times = sorted(one.document_time for one in found.records if one.document_time is not None)
    digests = sorted({one.launch_digest for one in found.records})
    return {
        "name": name,
        "count": f"{len(digests):,}",
        "digests": digests[:MOST_DIGESTS],
        "more": len(digests) - MOST_DIGESTS,
        "inferred": f"{found.inferred:,}",
        "documents": " to ".join(dict.fromkeys(map(day, (times[0], times[-1])))) if times else "",
        "signed": sum(one.checked == "signature" for one in found.records),
        "origins": sorted({one.origin for one in found.records if one.origin}),
    }
