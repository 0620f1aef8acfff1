"""Changes of an export since an earlier release: which launch digests are new, which are gone, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from catalog.errors import NotExported, UnknownName, UsageError
from catalog.export.export_made import MadeExport, make_export, selected
from catalog.export.rows.one_technology import select
from catalog.export.rows.rules import REVOKED, allowed_rules, count_digests
from catalog.export.rows.selection import Selected, Selection
from catalog.export.settings import Settings
from catalog.export.sidecar import MOST_LISTED, Added, Changed, Removed, RemovedDigest, Since
from catalog.log.revocation_list import revocations_at
from catalog.store.catalog import Catalog
from catalog.verify.consistency import continuation

_MOST_LINES = 10
"""Launch digests of each kind that are printed."""

_NOT_SELECTED = "its row has other values than those that are selected"


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since an earlier release.

    old: the catalog that it is compared with. added: launch digests, in the order of the export.
    removed: launch digests that are exported no more, and why.
    """

    old: Catalog
    added: Sequence[bytes]
    removed: Mapping[bytes, str]

    def lines(self) -> Iterator[str]:
        """What changed, for people."""
        release = self.old.release
        since = f"catalog {self.old.manifest.name}" if release is None else f"release {release.number}"
        yield f"since {since}: {count_digests(len(self.added))} added, {len(self.removed):,} removed"
        for number, digest in enumerate(self.added):
            if number == _MOST_LINES:
                yield f"and {len(self.added) - _MOST_LINES:,} more added"
                break
            yield f"added {digest.hex()}"
        for number, (digest, why) in enumerate(self.removed.items()):
            if number == _MOST_LINES:
                yield f"and {len(self.removed) - _MOST_LINES:,} more removed"
                break
            yield f"removed {digest.hex()}: {why}"

    def in_sidecar(self) -> Changed:
        """What changed, as a sidecar has it."""
        release = self.old.release
        since = Since(manifest_sha256=self.old.manifest_sha256, release=None if release is None else release.number)
        removed = list(self.removed.items())[:MOST_LISTED]
        gone = [RemovedDigest(launch_digest=digest.hex(), reason=why) for digest, why in removed]
        return Changed(
            since=since,
            added=Added(count=len(self.added), digests=[digest.hex() for digest in self.added[:MOST_LISTED]]),
            removed=Removed(count=len(self.removed), digests=gone),
        )


def changed_export(
    old: Catalog, new: Catalog, selection: Selection, options: Collection[str], settings: Settings, *, now: int
) -> tuple[MadeExport, Changes]:
    """The export from a new catalog, and what changed since the same selection of an old one.

    A name that the old one does not have selects nothing there. Raises UsageError unless both are releases of one log,
    the old one first, or both are local; NotExported for a named launch digest that neither has; VerificationFailed for
    a fork of the log; and as `make_export`.
    """
    _check_order(old, new)
    before = _selected_before(old, selection, options)
    try:
        made = make_export(new, selection, options, settings, now=now, named_may_lack=True)
    except NotExported as error:
        if before and before.digests:  # an update that leaves nothing
            them = "it" if len(before.digests) == 1 else "them"
            still = f"systems that loaded the old export still trust {count_digests(len(before.digests))}"
            error.hint = f"{still}: remove {them} there"
        raise
    if neither := set(made.missing) & set(selection.digests if before is None else before.missing):
        raise NotExported(
            f"launch digest {min(neither).hex()[:16]}... is neither in {old.location} nor in {new.location}",
            "leave it out, or name other releases: --diff OLD NEW",
        )
    were, are = set(before.digests if before else ()), set(made.export.digests)
    added = [digest for digest in made.export.digests if digest not in were]
    gone = tuple(digest for digest in before.digests if digest not in are) if before else ()
    return made, Changes(old, added, _reasons(new, gone, options))


def _check_order(old: Catalog, new: Catalog) -> None:
    before, after = old.release, new.release
    if before is None and after is None:
        return
    if before is None or after is None or before.origin != after.origin:
        raise UsageError(
            f"{old.location} and {new.location} are not releases of one log",
            "name two releases of one log, or two local catalogs: --diff OLD NEW",
        )
    continuation(before, after)
    if before.number > after.number or before.size > after.size:
        raise UsageError(f"{old.location} is later than {new.location}", "the earlier one is first: --diff OLD NEW")


def _selected_before(old: Catalog, selection: Selection, options: Collection[str]) -> Selected | None:
    """What was exported from the old catalog, as of its release; None if it does not have a name."""
    try:
        return selected(old, selection, options, revocations_at(old.release) if old.release else ())
    except UnknownName:
        return None


def _reasons(new: Catalog, digests: tuple[bytes, ...], options: Collection[str]) -> dict[bytes, str]:
    """Why launch digests that were exported are exported no more."""
    if not digests:
        return {}
    allowed, release = allowed_rules(options, several=True), new.release
    found = select(new, Selection(digests), allowed, new.revocations)
    missing = set(found.missing)
    where = f"catalog {new.manifest.name}" if release is None else f"release {release.number}"
    gone = f"withdrawn: {where} does not list it"
    reasons = {
        digest: str(found.refused[digest]) if digest in found.refused else gone if digest in missing else _NOT_SELECTED
        for digest in digests
    }
    revoked = tuple(digest for digest, one in found.refused.items() if one.rule is REVOKED)
    if release is None or release.number == release.last or not revoked:
        return reasons
    then = select(new, Selection(revoked), allowed, revocations_at(release)).refused
    later = [digest for digest in revoked if digest not in then or then[digest].rule is not REVOKED]
    return reasons | {digest: f"{reasons[digest]} (after release {release.number})" for digest in later}
