"""The pages of builds and fleets in a browser: search, permalinks, and links from digests."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from catalog.build.builder import BuildResult
from catalog.store.catalog import Catalog
from tests.support.browsers import Watched, page_of
from tests.support.services import Service


@pytest.fixture(params=["served", "static"])
def root(request: pytest.FixtureRequest) -> str:
    """URL of the folder of the pages, with its slash: of a service and of a host of files."""
    if request.param == "served":
        return f"{request.getfixturevalue('served').url}/"
    return str(request.getfixturevalue("host").url)


@pytest.fixture
def hashes(small: BuildResult) -> dict[str, str]:
    """The SHA-256 of each build."""
    builds = Catalog.open(small.folder).builds
    return {name: build.component.sha256.hex() for name, build in builds.items() if build.component.sha256}


def shown(seen: Watched, table: str = "builds") -> list[str]:
    return [row.inner_text() for row in seen.page.locator(f"table.{table} tbody th").all() if row.is_visible()]


def test_the_search_among_builds(seen: Watched, root: str, hashes: dict[str, str]) -> None:
    """By words of names and the start of a hash; the same rows of the coverage matrix; without the mouse."""
    seen.page.goto(f"{root}builds.html")
    names = shown(seen)
    assert names == sorted(hashes)
    assert len(names) > 1
    last = names[-1]
    seen.page.keyboard.press("/")
    expect(seen.page.locator("#words")).to_be_focused()
    sha256 = hashes[last]
    for words in (last.upper(), f"{last[:3]} {last[-2:]}", sha256[:10], f"0x{sha256}", f"sha256:{sha256[:8]}"):
        seen.page.locator("#words").fill(words)
        assert last in shown(seen)
        assert [name for name in shown(seen, "matrix") if last not in name.split(", ")] == []
        expect(seen.page.locator("#filtered")).to_contain_text(f"of {len(names)} builds")
    assert shown(seen) == [name for name in names if hashes[name] == sha256]
    address = seen.page.url
    seen.page.locator("#words").fill(sha256[1:12])
    assert shown(seen) == []
    expect(seen.page.locator("#filtered")).to_have_text("No build has all these words.")
    seen.page.keyboard.press("Escape")
    assert shown(seen) == names
    assert "#" not in seen.page.url
    seen.page.keyboard.press("ArrowDown")
    expect(seen.page.locator(".builds a").first).to_be_focused()
    seen.page.goto("about:blank")
    seen.page.goto(address)
    assert last in shown(seen)
    seen.page.locator("#words").press("Enter")
    seen.page.wait_for_url(f"{root}builds/{sha256}.html")
    assert seen.errors == []


def test_a_permalink_of_a_build(browser: Browser, root: str, hashes: dict[str, str]) -> None:
    """One address on every host, without scripts, from every page that shows the build."""
    (name, sha256), *_ = hashes.items()
    with page_of(browser, java_script_enabled=False) as seen:
        seen.page.goto(f"{root}builds.html")
        assert not seen.page.locator("#filter").is_visible()
        seen.page.get_by_role("link", name=name, exact=True).first.click()
        assert seen.page.url == f"{root}builds/{sha256}.html"
        expect(seen.page.locator("h1")).to_contain_text(name)
        expect(seen.page.locator("dd").first).to_have_text(sha256)
        seen.page.get_by_text("Permalink of this image").click()
        assert seen.page.url == f"{root}builds/{sha256}.html"
        assert seen.errors == []


def test_examples_fill_the_form_and_are_looked_up(seen: Watched, root: str) -> None:
    """The host is not sent the digest."""
    seen.page.goto(f"{root}index.html")
    for text, title in (
        ("a digest of this catalog", "listed with this launch digest"),
        ("one that is not found", "No configuration of this catalog has this launch digest"),
    ):
        seen.page.get_by_role("link", name=text).click()
        expect(seen.page.locator("#answer h2")).to_contain_text(title)
        digest = seen.page.locator("#digest").input_value()
        assert seen.page.url == f"{root}index.html#d={digest}"
        assert not [path for path in seen.requests if digest[:12] in path.partition("#")[0]]
    assert seen.errors == []


def test_without_scripts_the_service_answers_an_example(browser: Browser, served: Service) -> None:
    with page_of(browser, java_script_enabled=False) as seen:
        seen.page.goto(f"{served.url}/")
        seen.page.get_by_role("link", name="a digest of this catalog").click()
        expect(seen.page.locator(".match").first).to_be_visible()
