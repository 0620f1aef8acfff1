"""The page of a diff between two releases of a log."""

from __future__ import annotations

from catalog.diff.diff import diff
from catalog.log.log_reader import LogReader, open_log
from catalog.pages.diff_page import diff_page
from catalog.store.catalog import Catalog
from catalog.transparency.checkpoint import Checkpoint
from catalog.verify.releases_of_log import release_at


def changes_page(catalog: Catalog, old: int, new: int, root: str) -> bytes:
    """The page of what changed from release `old` to release `new` of the log that a catalog is published in.

    Both are read at the checkpoint of the catalog. root: as for `html.page`. Raises UsageError for a release that the
    log does not have, Unreadable for one that is not kept, and the errors of `diff`.
    """
    before, after = (_release(catalog, number) for number in (old, new))
    with diff(before, after, lambda _: None, None) as (found, _):
        return diff_page(before, after, found, root)


def _release(catalog: Catalog, number: int) -> Catalog:
    release = catalog.release
    assert release is not None, "only a log has releases"  # noqa: S101
    if number == release.number:
        return catalog
    log = open_log(release)
    checkpoint = Checkpoint(release.origin, release.size, bytes.fromhex(release.root))
    found = release_at(
        log,
        number,
        LogReader(log, checkpoint),
        checkpoint,
        trust_version=release.trust_version,
        fresh_until=release.fresh_until,
    )
    return Catalog.open_release(found) if release.source is None else release.source.open(found)
