"""The page of fleets: who published firmware and launch digests, and how many."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from catalog.build.builder import BuildResult
from catalog.pages.fleets import MOST_DIGESTS, fleets_page
from catalog.store.catalog import Catalog
from tests.support.endorsed_catalogs import DOCUMENT_SHA256, with_endorsed
from tests.support.endorsed_digests import SNP_DIGEST, endorsed, listed


def text_of(folder: Path, *, served: bool = False) -> str:
    """The page without its markup, on one line."""
    page = fleets_page(Catalog.open(folder), served=served).decode()
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page)))


def test_firmware_by_publisher(small: BuildResult) -> None:
    text = text_of(small.folder)
    rows = ", ".join(f"{entry.rows:,} {name}" for name, entry in small.manifest.technologies.items())
    assert f"not recorded {len(Catalog.open(small.folder).builds)} {rows} " in text
    assert "Nobody: all its digests are computed." in text
    assert "nobody endorses" not in text


def test_endorsers_and_reported_digests(small: BuildResult, tmp_path: Path) -> None:
    seen = "77" * 48
    many = [listed(f"{number:096x}") for number in range(1, MOST_DIGESTS + 2)]
    records = [endorsed(document_sha256=DOCUMENT_SHA256), listed(seen, scheme="reported"), *many]
    folder = with_endorsed(small, tmp_path / "catalog", records).folder
    text = text_of(folder)
    assert f"{MOST_DIGESTS + 1} launch digests" in text
    assert 'and 1 more: ldcat sql "SELECT * FROM endorsements"' in text
    signed, _, other = text.partition("Digests that were seen, and nobody endorses")
    assert "the signature of 1 was verified by whoever made this catalog" in signed
    assert (SNP_DIGEST in signed, seen in signed, seen in other) == (True, False, True)
    page = fleets_page(Catalog.open(folder), served=True).decode()
    assert f'<a data-digest="{seen}" href="d/{seen}">{seen}</a>' in page
    assert f'href="index.html#d={seen}"' in fleets_page(Catalog.open(folder), served=False).decode()
