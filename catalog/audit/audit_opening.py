"""Opens what is audited: the same locations as verify/opening.py, but a fault is a finding and not an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.audit.audit import AuditFinding, wrong
from catalog.audit.audit_release import LogAudit, find_release, release_findings
from catalog.errors import LdcatError, Unreadable
from catalog.fast.published import PublishedRelease
from catalog.log.log_folder import LastCheckpoint
from catalog.state.folders import remembered
from catalog.store.catalog import Catalog
from catalog.transparency.note import Note
from catalog.transparency.trust import Trust
from catalog.verify.location import CatalogLocation, HostedLocation, locate_folder
from catalog.verify.opening import log_at


@dataclass(frozen=True, slots=True)
class Opened:
    """What is audited. catalog: None if none can be opened. log: the audit of its log; None if it has none."""

    catalog: Catalog | None = None
    log: LogAudit | None = None


def open_for_audit(location: CatalogLocation, note: Note | None, found: list[AuditFinding], *, now: int) -> Opened:
    """Open the catalog at a location, and audit its log, but for what needs the rows of the catalog.

    note: the trust note, not verified yet; None: signatures are not checked.
    found: receives the findings about log and release.
    now: seconds since 1970.

    Raises Unreadable if there is neither a log nor a catalog, MalformedInput for an invalid trust note; DiskFull,
    OutOfMemory.
    """
    folder = None if isinstance(location, HostedLocation) else locate_folder(location)
    if folder and folder.log is None:
        return Opened(_open_catalog(None, Path(folder.path), found, published=False))
    log, number = log_at(location, folder)
    audit = LogAudit(log)
    found += audit.findings(number, note, _seen(note), now)
    release = find_release(log, number, found)
    if release is None and number is None:  # there is no last release
        return Opened()
    catalog = _open_catalog(release, Path(folder.path) if folder else log.root, found, published=True)
    if release and catalog:
        found += release_findings(release, catalog)
    return Opened(catalog, audit)


def _seen(note: Note | None) -> Mapping[str, LastCheckpoint]:
    """What this machine saw before of the logs that a trust note names, by origin."""
    origins = {key.name for key in Trust.parse(note.text).policy.logs} if note else ()
    return {origin: remembered("seen", origin) for origin in origins}


def _open_catalog(
    release: PublishedRelease | None, folder: Path, found: list[AuditFinding], *, published: bool
) -> Catalog | None:
    """The catalog of a release, even if the log names another one, which is a finding; without one, of the folder.

    published: whether the folder is of a log, so that a missing catalog is a finding, too.
    """
    try:
        if release and release.source:
            catalog: Catalog = release.source.open(release)
        else:
            catalog = replace(Catalog.open(release.files if release else folder), release=release)
    except LdcatError as failure:
        if not published and isinstance(failure, Unreadable):  # not a catalog at all
            raise
        found.append(wrong("manifest", "manifest.json", str(failure)))
        return None
    return catalog
