"""Technologies of a catalog whose rows and index are those that a build makes: no other check of them is needed."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from functools import partial

from catalog.audit.regenerated import regenerate
from catalog.errors import LdcatError
from catalog.launch.hashing.backends import HashBackend
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.digest_parts import digest_parts
from catalog.store.index.index_faults import tree_faults
from catalog.work.engine import Engine

_AT_ONCE = 2
"""Files that are hashed at once: the bytes of each are in memory."""


def right_technologies(catalog: Catalog, engine: Engine, backend: HashBackend) -> list[str]:
    """The names of these technologies. Their files, and that of the names, are as the manifest says."""
    return [
        name
        for name, entry in catalog.manifest.known.items()
        if entry.parts
        and _are_as_listed(catalog, name, engine)
        and regenerate(catalog, name, engine=engine, backend=backend, progress=lambda _: None).whole
    ]


def _are_as_listed(catalog: Catalog, technology: str, engine: Engine) -> bool:
    """Whether SHA-256 and fs-verity digest of the files are those in the manifest."""
    index = f"{technology}/{manifest.INDEX}"
    names = [manifest.NAMES, index, *(part.name for part in digest_parts(catalog, technology))]
    if not engine.in_process:
        return all(_is_as_listed(catalog, name) for name in names)
    with closing(replace(engine, ahead=_AT_ONCE).run(partial(_is_as_listed, catalog), names)) as results:
        return all(is_listed for _, is_listed in results)


def _is_as_listed(catalog: Catalog, name: str) -> bool:
    try:
        return not any(tree_faults(catalog.components, name, catalog.verified(name)))
    except LdcatError:
        return False
