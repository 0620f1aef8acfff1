"""Every view for people who use a keyboard, a screen reader, a small screen or a dark theme, checked by axe-core."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import expect

from catalog.build.builder import BuildResult
from tests.support.attestation_builder import report_bytes
from tests.support.axe import found_by_axe
from tests.support.browsers import Watched, paste
from tests.support.catalogs import digest_with
from tests.support.endorsed_catalogs import DOCUMENT_SHA256, with_endorsed
from tests.support.endorsed_digests import SNP_DIGEST, endorsed, listed
from tests.support.published_logs import Place, cosigned_today
from tests.support.services import Service, service
from tests.web.conftest import REVOKE

NOWHERE = "12" * 48
WIDTHS = (1280, 768, 400)
"""One of each layout of the pages."""

LOOKS: tuple[tuple[int, Literal["light", "dark"], bool], ...] = (
    (1280, "light", False),
    (1280, "dark", True),
    (400, "dark", False),
)
"""A width, a theme, and whether only colours are checked in it: all rules at the widest and at the narrowest."""


@pytest.fixture(scope="module")
def built(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    records = [
        endorsed(document_sha256=DOCUMENT_SHA256),
        listed("77" * 48, scheme="reported"),
        endorsed(digest_with(small, technology="sev-snp"), document_sha256=DOCUMENT_SHA256, svn=8),
    ]
    return with_endorsed(small, tmp_path_factory.mktemp("endorsed") / "catalog", records)


@pytest.fixture(scope="module")
def published(built: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = cosigned_today(tmp_path_factory.mktemp("published"), built)
    place.publish(REVOKE)
    return place


@pytest.fixture(scope="module")
def served(published: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("home"), published.log, "--trust", published.trust) as found:
        yield found


@pytest.fixture
def check(seen: Watched) -> Iterator[Watched]:
    yield seen
    seen.page.set_viewport_size({"width": 1280, "height": 720})


def findings(seen: Watched) -> list[object]:
    """What is wrong in the view: by axe in each look, wider than the screen at any width, or in the console."""
    found: list[object] = []
    for width, theme, only_colours in LOOKS:
        seen.page.set_viewport_size({"width": width, "height": 800})
        seen.page.emulate_media(color_scheme=theme)
        found += [(width, theme, one) for one in found_by_axe(seen.page, only_colours=only_colours).items()]
    for width in WIDTHS:
        seen.page.set_viewport_size({"width": width, "height": 800})
        if seen.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append((width, "the page is wider than the screen"))
    return found + seen.errors


@pytest.mark.long
def test_answers(check: Watched, served: Service, small: BuildResult) -> None:
    """The start page, and its answers: a revoked match, a match that is endorsed, an endorsed digest, none, several."""
    check.page.goto(f"{served.url}/")
    assert findings(check) == []
    snp = digest_with(small, technology="sev-snp")
    for text in (digest_with(small, vcpus=3), snp, SNP_DIGEST, NOWHERE, f"{snp}\n{NOWHERE}\nnonsense", "nonsense"):
        paste(check, text)
        assert findings(check) == [], text


def test_a_report_that_allows_debugging_and_a_verified_row(check: Watched, served: Service, small: BuildResult) -> None:
    check.page.goto(f"{served.url}/")
    data = report_bytes(measurement=bytes.fromhex(digest_with(small, technology="sev-snp")), policy=0xB0000)
    check.page.set_input_files("#file", {"name": "r.bin", "mimeType": "application/octet-stream", "buffer": data})
    expect(check.page.locator("#answer h2")).to_be_focused()
    check.page.locator(".proof button").first.click()
    expect(check.page.locator(".proven").first).to_be_visible()
    assert findings(check) == []


@pytest.mark.parametrize(
    "path", ["builds.html", "fleets.html", "releases.html", "diff/1...2.html", "build", "answer", "nothing"]
)
def test_pages_without_scripts_of_their_own(check: Watched, served: Service, small: BuildResult, path: str) -> None:
    if path == "build":
        check.page.goto(f"{served.url}/builds.html")
        path = check.page.locator(".builds a").first.get_attribute("href") or ""
    elif path == "answer":
        path = f"d/{digest_with(small, vcpus=3)}"
    check.page.goto(f"{served.url}/{path}")
    check.errors.clear()  # the status of `nothing` is one
    assert findings(check) == []


_STOPS = """() => [...document.querySelectorAll("a, button, input, select, textarea, summary, [tabindex='0']")]
    .filter((one) => one.checkVisibility()).length"""

_STOP = """() => {
    const at = document.activeElement, box = at.getBoundingClientRect();
    const isSeen = getComputedStyle(at).outlineStyle !== "none" && box.bottom > 0 && box.top < innerHeight;
    const follows = !window.last || window.last.compareDocumentPosition(at) & Node.DOCUMENT_POSITION_FOLLOWING;
    window.last = at;
    return [at.tagName, at.textContent.trim(), Boolean(isSeen && follows)];
}"""


@pytest.mark.parametrize("path", ["", "builds.html", "fleets.html", "releases.html"])
def test_every_page_with_only_the_keyboard(check: Watched, served: Service, path: str) -> None:
    """Tab reaches everything once, in the order of the page, visibly, and leaves it; the first stop skips the menu."""
    check.page.goto(f"{served.url}/{path}")
    check.page.locator(".skip").focus()  # which Tab reaches first, but for the form that has the focus at the start
    stops = [check.page.evaluate(_STOP)]
    for _ in range(check.page.evaluate(_STOPS) - 1):
        check.page.keyboard.press("Tab")
        stops.append(check.page.evaluate(_STOP))
    assert stops[0] == ["A", "Skip to the content", True]
    assert [stop for stop in stops if stop[0] == "BODY" or not stop[2]] == []
    check.page.keyboard.press("Tab")
    assert check.page.evaluate("document.activeElement.tagName") == "BODY"
    check.page.locator(".skip").focus()
    check.page.keyboard.press("Enter")
    expect(check.page.locator("main")).to_be_focused()
