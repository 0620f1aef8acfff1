"""The index of a catalog that somebody else made: checked once before a lookup or a signature stands on it."""

from __future__ import annotations

from catalog.state.folders import checked, receipts
from catalog.store.catalog import Catalog


def check_index_once(catalog: Catalog) -> None:
    """Check that the index leads to the rows, unless the catalog was built or checked here before.

    Raises VerificationFailed if it does not, and what reading the catalog does.
    """
    if any(kept.know(catalog.manifest_sha256) for kept in (receipts(), checked())):
        return
    from catalog.store.index_check import check_index  # pyarrow takes long to load

    check_index(catalog)
    checked().keep(catalog.manifest_sha256)
