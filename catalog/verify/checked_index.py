"""A catalog that somebody else built: its index is checked once, before a lookup or a signature relies on it."""

from __future__ import annotations

import hashlib

from catalog.state.folders import checked, receipts
from catalog.store.catalog import Catalog
from catalog.store.parquet import has_pyarrow


def check_components_once(catalog: Catalog) -> None:
    """As Catalog.check_components, unless the catalog was built on this machine, where the build did that."""
    if not receipts().know(_receipt(catalog)):
        catalog.check_components()


def check_index_once(catalog: Catalog) -> bool:
    """Check that the index leads to the rows, unless the catalog was built or checked on this machine before.

    False if it cannot be checked: a slim install reads no rows, and a lookup measures what the index leads to.
    Raises VerificationFailed if it does not, and as catalog.store.index_check.check_index.
    """
    name = _receipt(catalog)
    if any(kept.know(name) for kept in (receipts(), checked())):
        return True
    if not has_pyarrow():
        return False
    from catalog.store.index_check import check_index  # pyarrow takes long to load

    check_index(catalog)
    checked().keep(name)
    return True


def _receipt(catalog: Catalog) -> str:
    """Name of the receipt. It differs if a technology is unknown: a later version, which knows it, has to check it."""
    if not (unknown := sorted(catalog.manifest.unknown)):
        return catalog.manifest_sha256
    return hashlib.sha256("\n".join([catalog.manifest_sha256, *unknown]).encode("ascii")).hexdigest()
