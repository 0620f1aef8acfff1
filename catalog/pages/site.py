"""The pages of a site: those of the service, as files in the folder of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import LdcatError
from catalog.pages import page_data, views
from catalog.pages.assets import assets, assets_folder
from catalog.pages.changes import changes_page
from catalog.pages.fleets import fleets_page
from catalog.store.catalog import Catalog
from catalog.store.ranges import RangeIndex

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.transparency.trust import Trust

DIFFS = "diff"


def site_pages(
    catalog: Catalog, index: RangeIndex, trust: Trust | None, out: Path, now: float, warn: Callable[[str], None]
) -> Iterator[tuple[str, bytes]]:
    """Relative path and contents of each page; pages with links come after the pages they link to.

    out: the folder of the site; pages of older diffs in it stay.
    trust: the trust note by which browsers verify the log; None if there is none.
    now: seconds since 1970.
    warn: receives the reason if a page cannot be made.
    """
    for name, data in assets().items():
        yield f"{assets_folder()}/{name}", data
    for sha256, made in views.image_pages(catalog).items():
        yield f"builds/{sha256}.html", made("../")
    yield "builds.html", views.builds_page(catalog)
    yield "fleets.html", fleets_page(catalog, served=False)
    diffs = {path.stem for path in (out / DIFFS).glob("*.html")}
    yield from _newest_change(catalog, diffs, warn)
    yield "releases.html", views.releases_page(catalog, sorted(diffs), served=False)
    yield page_data.NAME, page_data.page_data(catalog, index, trust, now)
    yield "index.html", views.lookup_page(catalog, index, served=False)


def _newest_change(catalog: Catalog, diffs: set[str], warn: Callable[[str], None]) -> Iterator[tuple[str, bytes]]:
    """The diff from the previous release, unless that is no longer kept. diffs: the name of the page is added."""
    number = catalog.release.number if catalog.release else 1
    name = f"{number - 1}...{number}"
    if number == 1:
        return
    try:
        changed = changes_page(catalog, number - 1, number, "../")
    except LdcatError as error:
        warn(f"no page shows what changed since release {number - 1}: {error}")
        return
    diffs.add(name)
    yield f"{DIFFS}/{name}.html", changed
