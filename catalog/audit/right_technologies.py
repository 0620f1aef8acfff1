"""Technologies of a catalog whose rows and index are those that a build makes: no other check of them is needed."""

from __future__ import annotations

from catalog.audit.regenerated import regenerate
from catalog.errors import LdcatError
from catalog.launch.hashing.backends import HashBackend
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.index.index_faults import tree_faults
from catalog.work.engine import Engine


def right_technologies(catalog: Catalog, engine: Engine, backend: HashBackend) -> list[str]:
    """The names of these technologies. Their files, and that of the names, are as the manifest says."""
    return [
        name
        for name, entry in catalog.manifest.known.items()
        if entry.parts
        and _is_as_listed(catalog, manifest.names_file(name))
        and _is_as_listed(catalog, f"{name}/{manifest.INDEX}")
        and regenerate(catalog, name, engine=engine, backend=backend, progress=lambda _: None, trees=True).whole
    ]


def _is_as_listed(catalog: Catalog, name: str) -> bool:
    """Whether SHA-256 and fs-verity digest of a file are those in the manifest."""
    try:
        return not any(tree_faults(catalog.components, name, catalog.verified(name)))
    except LdcatError:
        return False
