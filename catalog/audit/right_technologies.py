"""Technologies of a catalog whose rows and index are those that a build makes: no other check of them is needed."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.audit.regenerated import regenerate
from catalog.errors import LdcatError
from catalog.launch.hashing.backends import HashBackend
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.digest_parts import digest_parts
from catalog.store.index.index_faults import tree_faults
from catalog.work.engine import Engine


def right_technologies(catalog: Catalog, engine: Engine, backend: HashBackend) -> list[str]:
    """The names of these technologies. Their files, and that of the names, are as the manifest says."""
    return [
        name
        for name, entry in catalog.manifest.known.items()
        if entry.parts
        and _as_listed(catalog, name)
        and regenerate(catalog, name, engine=engine, backend=backend, progress=lambda _: None).whole
    ]


def _as_listed(catalog: Catalog, technology: str) -> bool:
    """Whether SHA-256 and fs-verity digest of the files are those in the manifest."""
    try:
        return not any(fault for name in _names(catalog, technology) for fault in _faults(catalog, name))
    except LdcatError:
        return False


def _names(catalog: Catalog, technology: str) -> Iterator[str]:
    yield manifest.NAMES
    yield f"{technology}/{manifest.INDEX}"
    yield from (part.name for part in digest_parts(catalog, technology))


def _faults(catalog: Catalog, name: str) -> Iterator[str]:
    return tree_faults(catalog.components, name, catalog.verified(name))
