"""`ldcat audit`: check everything that a catalog or a release claims against its files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.options import (
    QuietOption,
    ReleaseArgument,
    TableFormatOption,
    hash_backend,
    named_path,
    number_option,
    require,
)
from catalog.cli.sarif import sarif
from catalog.errors import LdcatError, Unreadable, UsageError
from catalog.files.inputs import read_file
from catalog.spec.named_builds import build_of_file
from catalog.state.folders import remembered
from catalog.store.catalog import Catalog
from catalog.terminal import render
from catalog.terminal.render import Format
from catalog.verify.location import CatalogLocation, HostedLocation, locate_folder
from catalog.work.engine import local_engine, processors

if TYPE_CHECKING:  # these take long to import
    from catalog.audit.audit import AuditFinding
    from catalog.fast.published import PublishedRelease
    from catalog.log.log_folder import LogFolder

HELP_ORDER = 150

_MAX_TRUST = 1 << 20
"""Bytes of a trust note."""


def _remeasured(text: str) -> int | None:
    """The number of rows in --remeasure; None for all. Raises UsageError, typer.BadParameter."""
    if text == "all":
        return None
    if (rows := number_option(text)) < 0:
        raise UsageError(f"{rows} is not a number of rows", "--remeasure all, or a number from 0")
    return rows


def command(
    folder: ReleaseArgument,
    trust: Annotated[
        Path | None,
        typer.Option(
            parser=named_path,
            metavar="FILE",
            envvar="LDCAT_TRUST",
            help="Trust note that says who has to sign the log.",
        ),
    ] = None,
    firmware: Annotated[
        list[Path] | None,
        typer.Option(
            parser=named_path,
            metavar="FILE",
            help="Image to compare with what the catalog records about it. May be repeated.",
        ),
    ] = None,
    remeasure: Annotated[
        str, typer.Option(metavar="all|N", help="How many rows of each technology have their digests recomputed.")
    ] = "all",
    output: TableFormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> int:
    """Check every claim of a catalog or a release, and report every one that does not hold.

    Files are checked against the manifest; rows against their order, their components and the index; digests against
    their inputs. For a release, signatures and every leaf of the log are checked too, and that each row is a leaf. A
    signature proves no claim. Exit code 1 if a claim does not hold.
    """
    require(output, Format.TABLE, Format.JSON, Format.JSONL, Format.SARIF)
    from catalog.audit.audit import RULES, holds

    images = [build_of_file(path) for path in firmware or ()]
    rows = _remeasured(remeasure)
    log, number, own = _located(folder)
    found: list[AuditFinding] = []
    release = None if log is None else _release(log, number, trust, found)
    whole_log = log is not None and number is None  # then its last release is audited, if there is one
    catalog = None if whole_log and not release else _catalog(log, release, own, found)
    if catalog:
        from catalog.audit.audit_catalog import catalog_findings

        backend = hash_backend()
        with (
            render.progress(quiet=quiet, plain=False) as begin,
            local_engine(processors(), threads=backend.compiled) as engine,
        ):
            found += catalog_findings(catalog, images, rows, engine=engine, backend=backend, start_progress=begin)
    found = list(dict.fromkeys(found))  # a finding that several parts share is reported once
    records = [finding.to_dict() for finding in found]
    if output is Format.JSON:
        render.json_document({"holds": holds(found), "findings": records})
    elif output is Format.JSONL:
        render.json_lines(records)
    elif output is Format.SARIF:
        render.json_document(sarif(records, RULES, str(folder)))
    else:
        for text in _lines(found):
            render.line(text)
    return 0 if holds(found) else 1


def _located(location: CatalogLocation) -> tuple[LogFolder | None, int | None, Path]:
    """The log, or None; the number of the release, or None for the last one; and the folder of the catalog."""
    if isinstance(location, HostedLocation):
        from catalog.verify.hosted_log import HostedLog  # cryptography takes long to load

        hosted = HostedLog.of(location)
        return hosted, location.number, hosted.root
    folder = locate_folder(location)
    if folder.log is None:
        return None, None, Path(folder.path)
    from catalog.log.log_folder import LogFolder

    return LogFolder(Path(folder.log)), folder.number, Path(folder.path)


def _release(
    log: LogFolder, number: int | None, trust: Path | None, found: list[AuditFinding]
) -> PublishedRelease | None:
    from catalog.audit.audit_release import find_release, log_findings
    from catalog.transparency.trust import Trust, read_unsigned

    note = None if trust is None else read_unsigned(read_file(trust, limit=_MAX_TRUST, regular=True))
    origins = {key.name for key in Trust.parse(note.text).policy.logs} if note else ()
    seen = {origin: remembered("seen", origin) for origin in origins}
    found += log_findings(log, number, note, seen, int(time.time()))
    return find_release(log, number, found)


def _catalog(
    log: LogFolder | None, release: PublishedRelease | None, own: Path, found: list[AuditFinding]
) -> Catalog | None:
    """The catalog in the folder, even if the log names another one, which is a finding; None if it cannot be opened.

    Raises Unreadable if the folder is not of a log and has no catalog.
    """
    from catalog.audit.audit import wrong
    from catalog.audit.audit_release import leaf_findings

    try:
        if release and release.source:
            catalog: Catalog = release.source.open(release)
        else:
            catalog = replace(Catalog.open(release.files if release else own), release=release)
    except LdcatError as failure:
        if log is None and isinstance(failure, Unreadable):  # not a catalog at all
            raise
        found.append(wrong("manifest", "manifest.json", str(failure)))
        return None
    if release:
        found += leaf_findings(release, catalog)
    return catalog


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
