"""The page of a diff of two catalogs or releases: a file, or a page that a host serves."""

from __future__ import annotations

import shlex
from pathlib import Path

from catalog.diff.diff import Diff
from catalog.diff.row_changes import ADDED, RULE_CHANGED, WITHDRAWN
from catalog.files.outputs import write_whole
from catalog.pages.catalog_facts import describe_side, named_place, page_title
from catalog.pages.html import markup, page
from catalog.pages.pictures.heat_picture import heat_matrix
from catalog.pages.pictures.matrix import matrix_svg
from catalog.store.catalog import Catalog


def write_diff(path: Path, old: Catalog, new: Catalog, found: Diff) -> None:
    """Write the page of a diff; raises the errors of `write_whole`."""
    write_whole(path, diff_page(old, new, found))


def diff_page(old: Catalog, new: Catalog, found: Diff, root: str | None = None) -> bytes:
    """The page of a diff. root: as for `page`."""
    return page(
        "diff.html",
        root,
        title=_diff_title(old, new),
        sides=[describe_side(what, one, root) for what, one in (("old", old), ("new", new))],
        found=found,
        why=found.why(),
        always=(ADDED, WITHDRAWN, RULE_CHANGED),
        heat=markup(matrix_svg(heat_matrix(found.heat), "heat")) if found.heat.rows else None,
        command=shlex.join(["ldcat", "diff", named_place(old, root), named_place(new, root), "--format", "jsonl"]),
    )


def _diff_title(old: Catalog, new: Catalog) -> str:
    before, after = old.release, new.release
    if before and after and before.origin == after.origin:
        return f"What changed from release {before.number} to {after.number} of {after.origin}"
    return f"{page_title(old)} and {page_title(new)}: what differs"
