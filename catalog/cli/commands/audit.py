"""`ldcat audit`: check everything that a catalog or a release claims against its files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from catalog.cli.catalogs import print_image_notes
from catalog.cli.declare.declared import Option
from catalog.cli.help_form import RELEASE_CODES, Example, Group
from catalog.cli.options import FORMAT, LOG_TRUST, QuietOption, ReleaseArgument, named_path
from catalog.cli.program.chosen_backend import hash_backend
from catalog.cli.trust_files import unsigned_trust_in
from catalog.errors import UsageError
from catalog.fast.match_text import fact_lines
from catalog.rows.numbers import parse_number
from catalog.spec.named_builds import any_build_of_file
from catalog.terminal import render
from catalog.terminal.render import Format
from catalog.terminal.sarif import sarif
from catalog.work.engine import local_engine, processors

if TYPE_CHECKING:  # these take long to import
    from catalog.audit.audit import Audited, AuditFinding

HELP_ORDER = 150
HELP_GROUP = Group.AUDITORS
EXAMPLES = (
    Example("ldcat audit catalog", "Recompute every digest of a catalog"),
    Example(
        "ldcat audit public --trust trust.note", "Check the newest release of a log, its signatures and its leaves"
    ),
)
EXIT_CODES = RELEASE_CODES | {0: "every claim holds", 1: "a claim does not hold"}


def _remeasured(text: str) -> int | None:
    """The number of rows in --remeasure; None for all. Raises UsageError."""
    if text == "all":
        return None
    if (rows := parse_number(text)) < 0:
        raise UsageError(f"{rows} is not a number of rows", "--remeasure all, or a number from 0")
    return rows


def command(
    folder: ReleaseArgument,
    trust: Annotated[Path | None, LOG_TRUST] = None,
    firmware: Annotated[
        list[Path] | None,
        Option(
            parser=named_path,
            metavar="FILE",
            help="Image or IGVM file to compare with what the catalog records about it. May be repeated.",
        ),
    ] = None,
    remeasure: Annotated[
        str, Option(metavar="all|N", help="How many rows of each technology have their digests recomputed.")
    ] = "all",
    output: Annotated[Literal[Format.TABLE, Format.JSON, Format.JSONL, Format.SARIF], FORMAT] = Format.TABLE,
    quiet: QuietOption = False,
) -> int:
    """Check every claim of a catalog or a release.

    Every claim that does not hold is reported. Files are checked against the manifest; rows against their order, their
    components and the index; digests against their inputs. For a release, signatures and every leaf of the log are
    checked too, and that each row is a leaf. A signature proves no claim.
    """
    from catalog.audit.audit import RULES, Audited, holds
    from catalog.audit.audit_opening import open_for_audit
    from catalog.transparency.trust import Trust

    images = [any_build_of_file(path, str(path)) for path in firmware or ()]
    print_image_notes(images, quiet=quiet)
    rows = _remeasured(remeasure)
    found: list[AuditFinding] = []
    note = None if trust is None else unsigned_trust_in(trust)
    opened = open_for_audit(folder, note, found, now=int(time.time()))
    audited = Audited()
    if catalog := opened.catalog:
        audited.catalog, audited.manifest_sha256 = catalog.manifest.name, catalog.manifest_sha256
        audited.rows = catalog.manifest.rows
        if at := catalog.release:
            audited.origin, audited.release, audited.leaves = at.origin, at.number, at.size
            audited.trust_version = None if note is None else Trust.parse(note.text).version
        from catalog.audit.audit_catalog import catalog_findings

        backend = hash_backend()
        with (
            render.progress(quiet=quiet, plain=False) as begin,
            local_engine(processors(), threads=backend.compiled) as engine,
        ):
            found += catalog_findings(
                catalog,
                images,
                rows,
                log=opened.log,
                engine=engine,
                backend=backend,
                start_progress=begin,
                recomputed=audited.count_recomputed,
            )
    found = list(dict.fromkeys(found))  # a finding that several parts share is reported once
    records = [finding.to_dict() for finding in found]
    if output is Format.JSON:
        render.json_document({"holds": holds(found), "audited": audited.to_dict(), "findings": records})
    elif output is Format.JSONL:
        render.json_lines(records)
    elif output is Format.SARIF:
        render.json_document(sarif(records, RULES, str(folder)))
    else:
        facts = list(_facts(audited, found, trust))
        for text in [*(fact_lines(facts, title=f"audited {folder}") if facts else ()), *_lines(found)]:
            render.line(text)
    return 0 if holds(found) else 1


def _facts(audited: Audited, found: list[AuditFinding], trust: Path | None) -> Iterator[tuple[str, object]]:
    """What was looked at. trust: path of the trust note."""
    if audited.rows is None:
        return
    yield "catalog", f"{audited.catalog}, manifest {(audited.manifest_sha256 or '')[:16]}"
    if audited.leaves is None:
        yield "log", "none: it is not published, so nobody signed it"
    else:
        yield "log", f"{audited.origin}, {audited.leaves:,} leaves"
        yield "release", audited.release
        against = f"{trust}, version {audited.trust_version}"
        failed = any(one.rule == "log" and one.severity.value == "error" for one in found)
        unsure = f"NOT VERIFIED: errors below, against {against}" if failed else f"verified against {against}"
        yield "signatures", "NOT VERIFIED: no trust note was given" if trust is None else unsure
    yield "rows", f"{audited.rows:,}"
    yield "digests", f"{audited.recomputed:,} of {audited.rows:,} recomputed"


def _lines(found: list[AuditFinding]) -> Iterator[str]:
    from catalog.audit.audit import holds

    for severity in ("error", "warning", "note"):
        some = [finding for finding in found if finding.severity.value == severity]
        if some:
            yield f"{severity}s"
        for finding in some:
            yield f"  {finding.subject}: {finding.evidence}"
            if severity != "note":  # a note contradicts no claim
                yield f"    claimed: {finding.claim}"
    if holds(found):
        warned = any(finding.severity.value == "warning" for finding in found)
        yield "every claim that was checked holds" if warned else "every claim holds"
