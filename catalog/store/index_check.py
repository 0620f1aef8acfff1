"""The check that an index leads to the rows, before a lookup stands on it: of a catalog that others made."""

from __future__ import annotations

import hashlib

from catalog.errors import VerificationFailed
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.index_faults import index_faults


def check_index(catalog: Catalog) -> None:
    """Raises VerificationFailed where a lookup would show other inputs than those of a row.

    And where the manifest is not written as `ldcat build` writes it: the fast path looks for lines in it. Raises what
    reading the files does. It takes one to two seconds for the default catalog.
    """
    if hashlib.sha256(catalog.manifest.to_json()).hexdigest() != catalog.manifest_sha256:
        raise catalog.false(manifest.NAME, "it is another form of the same JSON")
    for fault in index_faults(catalog.components):
        raise VerificationFailed(
            f"the index of {catalog.location} does not lead to its rows: {fault}",
            "it is no damage: whoever made it made it so; ldcat audit says everything that is false",
        )
