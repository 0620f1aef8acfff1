"""Audit of the files of a catalog: those in the manifest, and any others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial

from catalog.audit.audit import AuditFinding, odd, wrong
from catalog.errors import LdcatError
from catalog.fast import verity
from catalog.fast.beneath import IS_LINK
from catalog.files import inputs
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.work.engine import Engine

_AT_ONCE = 2
"""Files that are hashed at once: the bytes of each are in memory."""

_FOREIGN = {"revocations.json"}
"""Files in the folder of a release that belong to the log."""


def file_findings(catalog: Catalog, engine: Engine) -> Iterator[AuditFinding]:
    """Yield findings about files. Every file is read completely."""
    listed = catalog.manifest.files
    text = inputs.read_file_beneath(catalog.files, manifest.NAME, limit=inputs.MAX_TEXT_SIZE)
    if text != catalog.manifest.to_json():
        yield wrong("manifest", manifest.NAME, "not the canonical form of its JSON")
    one = partial(_one_file, catalog)
    if engine.in_process and not catalog.fetcher:  # a connection to a host is used by one thread
        with closing(replace(engine, ahead=_AT_ONCE).run(one, listed)) as results:
            of_files = dict(results)
        yield from (finding for number in range(len(listed)) for finding in of_files[number])
    else:
        yield from (finding for name in listed for finding in one(name))
    for name, kind in inputs.walked(catalog.files):
        if kind == "link":
            yield wrong("link", name, IS_LINK)
        elif name not in (manifest.NAME, *listed, *(_FOREIGN if catalog.release else ())):
            yield odd("unlisted", name, "not in the manifest")


def _one_file(catalog: Catalog, name: str) -> list[AuditFinding]:
    try:
        data = catalog.verified(name)
    except LdcatError as failure:
        return [wrong("file", name, str(failure))]
    return list(_tree_findings(catalog, name, data))


def _tree_findings(catalog: Catalog, name: str, data: bytes) -> Iterator[AuditFinding]:
    entry = catalog.manifest.files[name]
    if entry.fsverity is None:
        return
    root, tree = verity.merkle_tree(manifest.block_hashes(data), hashlib.sha256)
    digest = verity.file_digest(root, len(data), hashlib.sha256).hex()
    if digest != entry.fsverity:
        yield wrong("tree", name, f"its fs-verity digest is {digest}")
    beside = name + verity.SUFFIX
    try:
        catalog.need(beside)
        there = inputs.read_file_beneath(catalog.files, beside, limit=len(tree) + 1)
    except LdcatError as failure:
        yield wrong("tree", beside.rpartition("/")[2], str(failure))
    else:
        if there != tree:
            yield wrong("tree", beside, "not the tree of the file")
