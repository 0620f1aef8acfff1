"""The pages of a release that a host serves: each as bytes, from the catalog and its log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from catalog.ask.answer import Answer
from catalog.ask.answer_text import closing_notes, danger_lines, miss_notes, title_without_match, told
from catalog.ask.coverage import coverage
from catalog.ask.memory_map import memory_map
from catalog.fast.match_text import NOT_FOUND, NOT_KNOWN, REVOKED, SEARCHES_FURTHER, match_facts, published_in
from catalog.fast.note_text import dangers, shared_notes, titled
from catalog.firmware.igvm.igvm_component import IgvmComponent
from catalog.log.log_reader import LogReader, open_log
from catalog.notes import DANGER
from catalog.pages.catalog_facts import describe_side, drawn_map, hashes_area_text, page_title
from catalog.pages.examples import examples
from catalog.pages.export_data import answer_exports
from catalog.pages.html import page
from catalog.pages.pictures.coverage_picture import coverage_matrix
from catalog.pages.report_page import report_page
from catalog.rows.fields import identity
from catalog.store.catalog import Catalog
from catalog.store.catalog_axes import read_axes
from catalog.store.ranges import RangeIndex
from catalog.transparency.checkpoint import Checkpoint
from catalog.values import replace


def lookup_page(catalog: Catalog, index: RangeIndex, *, served: bool) -> bytes:
    """The start page, with the lookup form. served: by the service, which answers forms; else by a host of files."""
    side = describe_side("catalog", catalog, "")
    until = catalog.release.fresh_until if catalog.release else 0
    return page(
        "lookup.html",
        "",
        title=f"Launch digests: {page_title(catalog)}",
        name=catalog.manifest.name,
        release=catalog.release,
        rows=catalog.manifest.rows,
        builds=f"{len(catalog.builds):,}",
        endorsed=len({record.launch_digest for record in catalog.endorsements.records}),
        examples=list(examples(catalog)),
        until=until and {"seconds": until, "iso": _day(until, "%Y-%m-%dT%H:%MZ"), "text": _day(until)},
        notes=catalog.notes,
        side={**side, "verified": _verified(catalog)},
        bits=index.prefix_bits,
        served=served,
        exports=served and _gives_exports(catalog),
    )


def answer_page(catalog: Catalog, answer: Answer, root: str, now: float) -> bytes:
    """The page of a launch digest: its matches, and what else is known of it. now: seconds since 1970."""
    digest, count = answer.digest, len(answer.matches)
    assert digest is not None, "it is what was asked"  # noqa: S101
    missed = list(miss_notes(answer)) if answer.exit_code == NOT_FOUND else []
    of_all = dangers(shared_notes([match.notes() for match in answer.matches]))
    titles = {0: title_without_match(answer), 1: "One configuration has this launch digest"}
    return page(
        "answer.html",
        root,
        title=titles.get(count, f"{count:,} configurations have this launch digest"),
        revoked=answer.exit_code == REVOKED,
        digest=digest.hex(),
        catalog=page_title(catalog),
        verified=_verified(catalog),
        published=catalog.release is not None,
        not_verified=catalog.release is not None and not catalog.release.trust_version,
        dangers=[line.partition(": ")[2] for line in danger_lines(answer, now)],
        notes=[one for one in (*answer.notes, *answer.catalog_notes) if one.severity != DANGER],
        matches=[
            {
                "title": titled(f"match {number} of {count}: {match.technology}", match.notes()),
                "facts": match_facts(match),
                "firmware": None if match.inferred else identity(match.row).hex(),
                "notes": [note for note in match.notes() if note not in of_all],
                "revoked": match.revocation[0] if match.revocation else "",
            }
            for number, match in enumerate(answer.matches, 1)
        ],
        told=[replace(one, title=titled(one.title, one.notes)) for one in told(answer, now)],
        closing=list(closing_notes(answer)),
        missed=[note for note in missed if note.code != SEARCHES_FURTHER],
        can_search=any(note.code == SEARCHES_FURTHER for note in missed),
        proof=catalog.release is not None and any(answer.found_dict().values()),
        exports=_exports(catalog, answer) if any(answer.found_dict().values()) else None,
    )


def _exports(catalog: Catalog, answer: Answer) -> dict[str, Any]:
    """What is offered for a digest, and whether this service gives files."""
    return {**answer_exports(catalog, answer), "files": _gives_exports(catalog)}


def _gives_exports(catalog: Catalog) -> bool:
    """Whether a service of this catalog gives exports: it verified the release."""
    return catalog.release is not None and bool(catalog.release.trust_version)


def builds_page(catalog: Catalog) -> bytes:
    """The page of all builds, coverage and memory maps."""
    return report_page(catalog, coverage_matrix(coverage(catalog)), "")


def image_pages(catalog: Catalog) -> Mapping[str, Callable[[str], bytes]]:
    """By what identifies an image, in hex: a function that makes its page, given the root of the page."""
    rows: dict[tuple[str, str], int] = {}
    for axes in read_axes(catalog, catalog.manifest.known):
        place = axes.identity, axes.technology
        rows[place] = rows.get(place, 0) + axes.rows
    by_image: dict[str, list[str]] = {}
    for name, build in sorted(catalog.builds.items()):
        by_image.setdefault(build.component.key.hex(), []).append(name)
    return {key: partial(_image_page, catalog, key, names, rows) for key, names in by_image.items()}


def _image_page(
    catalog: Catalog, key: str, names: Sequence[str], rows: Mapping[tuple[str, str], int], root: str
) -> bytes:
    component = catalog.builds[names[0]].component
    ranges = [] if isinstance(component, IgvmComponent) else memory_map(component)
    launch = []
    for technology in catalog.manifest.known:
        known = catalog.builds[names[0]].launchability(technology)
        counted = f"{rows.get((key, technology), 0):,}"
        launch.append({"technology": technology, "rows": counted, **_known(known)})
    kernel_hashes = hashes_area_text(component)
    return page(
        "image.html",
        root,
        title=", ".join(names),
        key=key,
        key_name="SHA-256" if component.sha256 else "SNP baseline",
        image=[
            ("SHA-256", component.sha256.hex() if component.sha256 else NOT_KNOWN),
            ("SHA-384", component.sha384.hex() if component.sha384 else NOT_KNOWN),
            *([("SNP baseline", one.hex())] if (one := component.snp_baseline) else []),
            ("size", f"{component.size:,} bytes" if component.size else NOT_KNOWN),
            ("firmware version", component.firmware_version or NOT_KNOWN),
            ("kernel hashes", kernel_hashes),
            ("enforced", "no" if kernel_hashes == "none" else component.kernel_hashes_enforced.value),
        ],
        builds=[{"name": name, "facts": _origin(catalog, name)} for name in names],
        launch=launch,
        ranges=len(ranges),
        map=drawn_map(ranges, 0, names),
    )


def releases_page(catalog: Catalog, diffs: Sequence[str], *, served: bool) -> bytes:
    """The page of the releases of the log, the last one first. diffs: names of diffs that have pages, as OLD...NEW."""
    return page(
        "releases.html",
        "",
        title="Releases" + (f" of {catalog.release.origin}" if catalog.release else ""),
        releases=[{**one, "diff": one["diff"] if one["diff"] in diffs or served else ""} for one in releases(catalog)],
        served=served,
    )


def releases(catalog: Catalog) -> list[dict[str, Any]]:
    """The release records of its log, for people, the last one first; empty for a catalog without a log."""
    release = catalog.release
    if release is None:
        return []
    checkpoint = Checkpoint(release.origin, release.size, bytes.fromhex(release.root))
    found = []
    for span in LogReader(open_log(release), checkpoint).spans():
        record = span.record
        before = record.release - 1 or None
        found.append(
            {
                "number": record.release,
                "before": before,
                "diff": f"{before}...{record.release}" if before else "",
                "time": _day(record.time),
                "leaves": span.end,
                "manifest_sha256": record.artifacts.get("manifest.json", ""),
            }
        )
    return found


def _day(seconds: int, form: str = "%Y-%m-%d %H:%M UTC") -> str:
    """A time for people. seconds: since 1970; any number, since the signer of a release can write any."""
    try:
        return time.strftime(form, time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return f"{seconds} seconds after 1970"


def _verified(catalog: Catalog) -> str:
    version = catalog.release.trust_version if catalog.release else 0
    return f"verified against version {version} of the trust note" if version else ""


def _known(known: Any) -> dict[str, str]:
    return {"verdict": known.verdict, "reason": known.reason, "source": known.source}


def _origin(catalog: Catalog, name: str) -> list[tuple[str, object]]:
    origin = catalog.builds[name].origin
    if origin is None:
        return [("published in", "not recorded")]
    where = (published_in(msgspec.structs.asdict(origin)), origin.distribution)
    return [
        ("published in", ", ".join(filter(None, where))),
        ("package SHA-256", origin.package_sha256 or NOT_KNOWN),
        ("path", origin.path or NOT_KNOWN),
    ]
