"""Audit of a release as part of its log: who signed, whether its records are true, and whether its rows are leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from catalog.audit.audit import AuditFinding, odd, unchecked, wrong
from catalog.errors import DiskFull, LdcatError, OutOfMemory, VerificationFailed
from catalog.fast.beneath import IS_LINK, Files
from catalog.fast.published import PublishedRelease
from catalog.files import inputs
from catalog.log.log_folder import LastCheckpoint, LogFolder
from catalog.log.log_history import History, read_history
from catalog.log.log_reader import LogReader
from catalog.log.log_walk import WalkedRelease
from catalog.log.revocation_chain import RevocationChain
from catalog.log.revocation_list import revocations_at
from catalog.operate.doctor import examine
from catalog.operate.finding import Severity
from catalog.store.catalog import Catalog
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import Note
from catalog.verify.verify_release import unverified_release


class LogAudit:
    """The audit of a log itself.

    log: the log.
    checkpoint: what was signed, after `findings`; None if it could not be read.
    history: the contents of the log, after `findings`; None if they are not those of the checkpoint.
    """

    def __init__(self, log: LogFolder) -> None:
        self.log = log
        self.checkpoint: Checkpoint | None = None
        self.history: History | None = None

    def findings(
        self, number: int | None, trust: Note | None, seen: Mapping[str, LastCheckpoint], now: int
    ) -> Iterator[AuditFinding]:
        """Yield what is wrong with the log.

        number: of the release that is audited; None for the last one.
        trust: the trust note; None if none was given.
        seen: the newest checkpoint of each log that was verified on this machine, by origin.
        now: seconds since 1970.

        Raises DiskFull and OutOfMemory.
        """
        contents = list(self._contents_findings(number, seen, now))  # the leaves are read once, and first
        if trust is None:
            yield odd("log", "checkpoint", "no trust note was given: signatures were not checked")
            links = inputs.walked(Files(self.log.root)) if self.log.is_here else []
            yield from (wrong("link", name, IS_LINK) for name, kind in links if kind == "link")
        else:
            walk = self.history.walk if self.history else None
            for found in examine(self.log, trust, {}, now=now, walk=walk).findings:
                yield AuditFinding(
                    found.severity, "link" if found.what == IS_LINK else "log", found.subject, found.what
                )
        yield from contents

    def _contents_findings(
        self, number: int | None, seen: Mapping[str, LastCheckpoint], now: int
    ) -> Iterator[AuditFinding]:
        try:
            note = self.log.checkpoint()
            if note is None:
                return
            checkpoint = self.checkpoint = Checkpoint.parse(note.text)
            if checkpoint.origin in seen:
                yield from _seen_findings(self.log, checkpoint, seen[checkpoint.origin])
            history = self.history = read_history(self.log, checkpoint, now=now, audited=True)
            yield from _record_findings(history.walk.releases, number)
            yield from (unchecked("entries", one.text) for one in history.walk.unknown.notes("not checked"))
            history.check()
        except (DiskFull, OutOfMemory):
            raise
        except LdcatError as failure:
            yield wrong("log", "entries", str(failure))


def _record_findings(releases: Sequence[WalkedRelease], number: int | None) -> Iterator[AuditFinding]:
    """Yield false statements of release records: errors in the last and the audited one, which are used."""
    for each in releases:
        used = each is releases[-1] or each.record.release == number
        for why in each.false:
            yield (wrong if used else odd)("record", f"release {each.record.release}", why)
        for why in each.steps_back:
            yield odd("record", f"release {each.record.release}", why)
        if used and RevocationChain.committed(each.record) is None:
            what = "it commits to no revocations, like releases of ldcat 0.1.0: its list was compared with the leaves"
            yield AuditFinding(Severity.NOTE, "record", f"release {each.record.release}", what)


def _seen_findings(log: LogFolder, found: Checkpoint, memory: LastCheckpoint) -> Iterator[AuditFinding]:
    """Yield a finding if the log was rolled back or forked."""
    before = memory.checkpoint()
    if before is None:
        return
    if before.size > found.size:
        what = f"it has {found.size} leaves, and {before.size} were seen before: it was rolled back"
        yield wrong("log", "checkpoint", what)
        return
    try:
        LogReader(log, found).check_follows(before)
    except VerificationFailed as failure:
        what = f"a fork: it is not consistent with the checkpoint of {before.size} leaves that was seen before"
        yield wrong("log", "checkpoint", f"{what} ({failure})")


def find_release(log: LogFolder, number: int | None, findings: list[AuditFinding]) -> PublishedRelease | None:
    """Read a release of the log, unverified. If it cannot be read, adds a finding and returns None."""
    try:
        return unverified_release(log, number)
    except LdcatError as failure:
        findings.append(wrong("release", "log", str(failure)))
        return None


def release_findings(release: PublishedRelease, catalog: Catalog) -> Iterator[AuditFinding]:
    """Yield a manifest or a list of revocations that the log does not name."""
    if catalog.manifest_sha256 != release.manifest_sha256:
        yield wrong("release", "manifest.json", f"its SHA-256 is {catalog.manifest_sha256}")
    try:
        revocations_at(release)
    except LdcatError as failure:
        yield wrong("release", "revocations.json", str(failure))
