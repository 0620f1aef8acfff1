"""The pack of a release at a host that has ranges: a lookup reads it, the checkpoint, and one range."""

from __future__ import annotations

from catalog.fast.published import PublishedRelease
from catalog.log.log_reader import open_log
from catalog.log.release_pack import LARGEST, leaves_to_verify, pack_of, release_files
from catalog.store.catalog import Catalog
from catalog.store.ranges import INDEX, RangeIndex, ranges_path
from catalog.transparency.checkpoint import Checkpoint


def lookup_pack(catalog: Catalog, release: PublishedRelease, index: RangeIndex) -> bytes:
    """The pack for the checkpoint at which the last release of a log was verified.

    catalog: of that release. index: of its ranges. Raises as `leaves_to_verify` and `release_files`.
    """
    log, checkpoint = open_log(release), Checkpoint(release.origin, release.size, bytes.fromhex(release.root))
    ranges = {f"{ranges_path(release.number)}/{INDEX}": bytes(index)}
    asked = release_files(log, release.number, catalog.verified, catalog.manifest.asked(at_most=LARGEST))
    return pack_of(leaves_to_verify(log, checkpoint) | ranges | asked)
