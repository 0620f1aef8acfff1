"""Checks the index of somebody else's catalog against its rows, before a lookup relies on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from catalog.errors import VerificationFailed
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.index.index_faults import index_faults, tree_faults

_HINT = "this is not damage: the catalog was published this way; ldcat audit lists everything that is wrong"


def check_index(catalog: Catalog) -> None:
    """Raises VerificationFailed if the index would give a digest other inputs than those of its row.

    Also if the manifest is not formatted as `ldcat build` formats it: the fast path reads it line by line. Raises as
    `Catalog.verified`. Takes a quarter of a second for the default catalog.
    """
    _check_form(catalog)
    _refuse(catalog, index_faults(catalog.components))


def check_without_rows(catalog: Catalog) -> None:
    """As `check_index`, as far as it can be checked without the rows, and the components: names, trees, manifest.

    So an index can still lead to the row of another digest, or to none.
    """
    _check_form(catalog)
    known = catalog.manifest.known
    for name in {manifest.NAMES, *map(manifest.names_file, known), *(f"{one}/{manifest.INDEX}" for one in known)}:
        _refuse(catalog, tree_faults(catalog.components, name, catalog.verified(name)))
    catalog.check_components()


def _check_form(catalog: Catalog) -> None:
    if hashlib.sha256(catalog.manifest.to_json()).hexdigest() != catalog.manifest_sha256:
        raise VerificationFailed(f"{catalog.location}: {manifest.NAME} is not in canonical form", _HINT)


def _refuse(catalog: Catalog, faults: Iterable[str]) -> None:
    for fault in faults:
        raise VerificationFailed(f"the index of {catalog.location} does not match its rows: {fault}", _HINT)
