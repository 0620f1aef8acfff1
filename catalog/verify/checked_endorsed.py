"""The endorsed digests of a release: each has to be a leaf of its log, before anybody is told of it."""

from __future__ import annotations

from catalog.errors import FalseRecord
from catalog.fast.published import PublishedRelease
from catalog.log.leaf_search import endorsed_leaves
from catalog.log.log_reader import LogReader, open_log
from catalog.log.records import encode_leaf
from catalog.store.catalog import Catalog
from catalog.store.endorsements import read_endorsements
from catalog.transparency.checkpoint import Checkpoint


def check_endorsed(catalog: Catalog, release: PublishedRelease) -> None:
    """Raises FalseRecord if the catalog of a verified release has an endorsed digest that the log lacks.

    Raises as `read_endorsements` and LogReader.
    """
    listed = {encode_leaf(record) for record in read_endorsements(catalog).records}
    if not listed:
        return
    reader = LogReader(open_log(release), Checkpoint(release.origin, release.size, bytes.fromhex(release.root)))
    for span in reader.spans():
        listed.difference_update(endorsed_leaves(reader, span))
    if listed:
        raise FalseRecord(
            f"release {release.number} of {release.origin} has {len(listed)} endorsed digests that are not in the log, "
            f"e.g. {min(listed).decode()}",
            "whoever follows the leaves does not see them; ldcat audit lists everything that is wrong",
        )
