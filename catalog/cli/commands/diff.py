"""`ldcat diff`: what changed from one catalog or release to another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Annotated, Any, Literal

from catalog.cli.catalogs import open_named
from catalog.cli.declare.declared import Argument
from catalog.cli.help_form import RELEASE_CODES, Example, Group
from catalog.cli.options import (
    FORMAT,
    HtmlOption,
    QuietOption,
    SkipVerifyOption,
    TrustOption,
    named_location,
)
from catalog.diff.diff import CHANGE_COLUMNS, Diff, diff
from catalog.diff.endorsement_changes import grouped
from catalog.diff.row_changes import ADDED, REVOCATIONS, RULE_CHANGED, WITHDRAWN
from catalog.pages.pictures.heat_picture import heat_matrix
from catalog.store.catalog import Catalog
from catalog.terminal import render
from catalog.terminal.render import Format
from catalog.verify.location import is_published
from catalog.verify.opening import Freshness
from catalog.verify.trust_choice import TrustChoice

HELP_ORDER = 140
HELP_GROUP = Group.AUDITORS
EXAMPLES = (
    Example(
        "ldcat diff public/releases/1 public/releases/2 --trust trust.note",
        "Show what changed between two releases",
        code=1,
    ),
    Example(
        "ldcat diff old-catalog catalog --format csv > changes.csv",
        "Write every row that differs between two catalogs",
        code=1,
    ),
)
EXIT_CODES = RELEASE_CODES | {
    0: "nothing differs",
    1: "something differs",
    4: "verification failed, or checkpoints of one log that are not consistent",
}

_MARKS = {ADDED: "+", "gone": "-", WITHDRAWN: "-", "changed": "~", RULE_CHANGED: "!"}
_MARKS |= dict.fromkeys(REVOCATIONS, "x")


def command(
    old: Annotated[
        Any,
        Argument(
            parser=named_location,
            metavar="OLD",
            help="Old catalog or release: folder of a catalog, of a log or of a release, or its URL.",
        ),
    ],
    new: Annotated[
        Any,
        Argument(parser=named_location, metavar="NEW", help="New catalog or release, likewise."),
    ],
    trust_file: TrustOption = None,
    skip_verify: SkipVerifyOption = False,
    html: HtmlOption = None,
    output: Annotated[Literal[Format.TABLE, Format.JSON, Format.JSONL, Format.CSV], FORMAT] = Format.TABLE,
    quiet: QuietOption = False,
) -> int:
    """Compare two catalogs or releases, row by row.

    Components and endorsed digests are compared, too. Rows are added, withdrawn or rule-changed. A rule-changed row has
    the same inputs and another launch digest: no firmware changed, but a VMM profile or the generator did. The table
    groups rows; jsonl and csv have every row that differs, json has everything.
    """
    published = [is_published(one) for one in (old, new)]
    before, after = (
        open_named(location, trust_file, skip=skip_verify, quiet=quiet, freshness=freshness)
        if itself or not any(published)  # the latter: so that --trust is refused, as there is nothing to verify
        else open_named(location, None, skip=False, quiet=quiet)
        for location, itself, freshness in zip((old, new), published, (Freshness.PAST, Freshness.NEWEST), strict=True)
    )
    trust = None if skip_verify or not all(published) else TrustChoice.of_environment(trust_file).trust_for(old)
    with ExitStack() as kept:
        with render.progress(quiet=quiet, plain=False) as begin:
            rows = before.manifest.rows + after.manifest.rows
            found, changed = kept.enter_context(diff(before, after, begin("compared", rows), trust))
        if html:
            from catalog.pages.diff_page import write_diff

            write_diff(html, before, after, found)
        if output is Format.TABLE:
            for text in _lines(before, after, found):
                render.line(text)
            if not found.same:
                render.picture(heat_matrix(found.heat, whole=False))
        elif output is Format.JSON:
            sides = {"old": _side(before), "new": _side(after)}
            render.json_with_rows({**sides, **found.to_dict()}, changed)
        elif output is Format.JSONL:
            render.json_lines(changed)
        else:
            render.csv_rows(CHANGE_COLUMNS, (list(row.values()) for row in changed))
    return 0 if found.same else 1


def _side(one: Catalog) -> dict[str, object]:
    return {
        "name": one.manifest.name,
        "manifest_sha256": one.manifest_sha256,
        "release": one.release and one.release.to_dict(),
    }


def _lines(old: Catalog, new: Catalog, found: Diff) -> Iterator[str]:
    for name, one in (("old", old), ("new", new)):
        release = f", release {one.release.number} of {one.release.origin}" if one.release else ""
        yield f"{name}   {one.location}: {one.manifest.name}{release}, manifest {one.manifest_sha256[:16]}"
    if found.history:
        yield f"log   {found.history}"
    for change in found.components:
        text = f"{change.kind} {change.name}".rstrip() + (f": {change.what}" if change.what else "")
        yield f"  {_MARKS[change.change]} {text}"
    for endorsed in grouped(found.endorsements):
        yield f"  {_MARKS[endorsed.change]} {endorsed.summary()}"
    counts = [f"{count:,} {name}" for name, count in found.counts.items() if count or name not in REVOCATIONS]
    yield f"rows  {', '.join(counts)}"
    if found.born_revoked:
        yield f"  x {found.born_revoked:,} of the added and rule-changed rows are revoked or deprecated already"
    for group in found.groups:
        yield f"  {_MARKS[group.change]} {group.technology}  {group.label}: {group.summary(found.kernels)}"
    if why := found.why():
        yield f"rule  {why}"
    for technology in found.uncompared:
        yield f"  ? {technology}: rows are not compared, because a catalog keeps distinguished digests only"
    for technology in found.unknown:
        yield f"  ? {technology}: this version of ldcat does not know it, and compares only its files"
