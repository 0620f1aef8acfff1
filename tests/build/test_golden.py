"""Golden digests: equal inputs give equal digests, unless the changelog names the change under "Digests changed"."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pyarrow.parquet as pq

from catalog.log.row_leaves import COLUMNS, row_leaves
from catalog.rows.arrow import complete
from catalog.store import manifest
from tests.support.catalogs import build

GOLDEN = Path(__file__).with_name("golden.toml")
CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


def changelog_hash() -> str:
    """The hash in the newest section "Digests changed" of the changelog."""
    section = CHANGELOG.read_text(encoding="utf-8").split("### Digests changed\n")[1].split("\n## ")[0]
    (found,) = re.findall(r"[Gg]olden digests: `([0-9a-f]{64})`", section)
    return str(found)


def test_digests_change_only_with_a_changelog_entry(tmp_path: Path) -> None:
    built = build(GOLDEN, tmp_path / "catalog")
    leaves = [
        leaf
        for technology, entry in built.manifest.technologies.items()
        for name in manifest.part_names(technology, entry.parts)
        for leaf in row_leaves(complete(pq.read_table(built.folder / name), COLUMNS))
    ]
    assert len(leaves) > 300
    made = hashlib.sha256(b"\n".join(sorted(leaves))).hexdigest()
    assert made == changelog_hash(), (
        f"digests changed for equal inputs: the changelog has to say which; golden digests: {made}"
    )
