"""`ldcat audit`: everything that a catalog or a release claims, checked against the bytes that are there."""

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

if TYPE_CHECKING:  # it loads what takes long
    from catalog.audit.audit import AuditFinding
    from catalog.fast.published import PublishedRelease
    from catalog.log.log_folder import LogFolder

HELP_ORDER = 150

_MAX_TRUST = 1 << 20


def _remeasured(text: str) -> int | None:
    """A number of rows; None for all."""
    if text == "all":
        return None
    if (rows := number_option(text)) < 0:
        raise UsageError(f"there are no {rows} rows to measure", "--remeasure all, or a number")
    return rows


def command(
    folder: ReleaseArgument,
    trust: Annotated[
        Path | None,
        typer.Option(
            parser=named_path, metavar="FILE", envvar="LDCAT_TRUST", help="Trust note: who has to sign the log."
        ),
    ] = None,
    firmware: Annotated[
        list[Path] | None,
        typer.Option(parser=named_path, metavar="FILE", help="Image that is compared with what is recorded of it."),
    ] = None,
    remeasure: Annotated[
        str, typer.Option(metavar="all|N", help="Rows of each technology whose digests are recomputed.")
    ] = "all",
    output: TableFormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> int:
    """Check every claim of a catalog or a release, and say all that does not hold.

    Files against the manifest, rows against their order, their components and the index, digests against their
    inputs; of a release also who signed, every leaf of the log, and that each row is one. Nothing is believed for being
    signed. Exit code 1 where something is wrong.
    """
    require(output, Format.TABLE, Format.JSON, Format.JSONL, Format.SARIF)
    from catalog.audit.audit import RULES, holds

    images = [build_of_file(path) for path in firmware or ()]
    rows = _remeasured(remeasure)
    log, number, own = _located(folder)
    found: list[AuditFinding] = []
    release = None if log is None else _release(log, number, trust, found)
    whole_log = log is not None and number is None  # of which the last release is meant, if there is one
    catalog = None if whole_log and not release else _catalog(log, release, own, found)
    if catalog:
        from catalog.audit.audit_catalog import catalog_findings

        backend = hash_backend()
        with (
            render.progress(quiet=quiet, plain=False) as begin,
            local_engine(processors(), threads=backend.compiled) as engine,
        ):
            found += catalog_findings(catalog, images, rows, engine=engine, backend=backend, start_progress=begin)
    found = list(dict.fromkeys(found))  # of each part, what holds of all is said once
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
    """The log, if it is of one, which release of it is meant, and the folder of the catalog itself."""
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
    """As it is, whatever the log says of it: that it is another one is a finding."""
    from catalog.audit.audit import wrong
    from catalog.audit.audit_release import leaf_findings

    try:
        if release and release.source:
            catalog: Catalog = release.source.open(release)
        else:
            catalog = replace(Catalog.open(release.files if release else own), release=release)
    except LdcatError as failure:
        if log is None and isinstance(failure, Unreadable):  # it was never a catalog
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
            if severity != "note":  # which is against no claim
                yield f"    claimed: {finding.claim}"
    if holds(found):
        yield "every claim holds"
