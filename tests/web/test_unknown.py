"""The service and the page of this version over a log of a later one: known data is shown, the rest is noted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from catalog.build.builder import BuildResult
from catalog.cli.main import run as command
from catalog.files.plain_json import canonical_json
from catalog.log.log_folder import LogFolder
from catalog.log.records import encode_leaf
from tests.support.browsers import Watched, page_of
from tests.support.catalogs import all_digests
from tests.support.forged_releases import append, next_record
from tests.support.hosts import static_host
from tests.support.later_version import (
    NAME,
    NOT_CONSIDERED,
    NOT_SEARCHED,
    NOTE_NOT_SEARCHED,
    later_catalog,
    later_version,
    publish_record,
)
from tests.support.logs import LOG
from tests.support.published_logs import Place, cosigned_today
from tests.support.services import Service, service


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return later_catalog(tmp_path_factory.mktemp("later"))


@pytest.fixture(scope="module")
def published_later(later: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Place:
    with later_version():
        return cosigned_today(tmp_path_factory.mktemp("published"), later)


def site_of(place: Place, folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder.parent / f"state of {folder.name}"))
        assert command(["site", str(place.log), "-o", str(folder), "--trust", str(place.trust), "-q"]) == 0
    return folder


@pytest.fixture(scope="module")
def served(published_later: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service over the site of the later version, whose range files have its rows, too."""
    folder = tmp_path_factory.mktemp("site") / "logs"
    with later_version():
        site_of(published_later, folder)
    with service(folder.parent / "home", folder, "--trust", published_later.trust) as found:
        yield found


def digests(later: BuildResult) -> tuple[str, str]:
    """A known and an unknown digest."""
    with later_version():
        found = {name: digest.hex() for name, digest in all_digests(later)}
    return found["sev-snp"], found[NAME]


def pasted(browser: Browser, url: str, digest: str) -> Iterator[Watched]:
    with page_of(browser) as seen:
        seen.page.goto(url)
        seen.page.fill("#digest", digest)
        seen.page.keyboard.press("Enter")
        expect(seen.page.locator("#answer h2")).to_be_focused()
        yield seen
        assert seen.errors == []


def test_the_service_answers_for_known_technologies(served: Service, later: BuildResult) -> None:
    known, unknown = digests(later)
    for digest, found in ((known, True), (unknown, False)):
        answer = served.json(f"/d/{digest}.json")
        assert (answer["found"], answer["notes"][-1]) == (found, NOTE_NOT_SEARCHED)
        assert "does not know technology" in served.ask(f"/d/{digest}")[1].decode()
    batch = served.json("/v1/lookup", {"digests": [known, unknown]})
    assert (batch["notes"], [one["found"] for one in batch["answers"]]) == ([NOTE_NOT_SEARCHED], [True, False])
    served.until(f"ldcat: warning: {NOT_SEARCHED}")


def test_the_page_shows_known_technologies(browser: Browser, served: Service, later: BuildResult) -> None:
    known, unknown = digests(later)
    for seen in pasted(browser, f"{served.url}/", known):
        expect(seen.page.locator("#answer .match").first).to_contain_text("sev-snp")
        expect(seen.page.locator("#answer p.warn").first).to_have_text(f"warning: {NOT_SEARCHED}")
        seen.page.locator(".proof button").first.click()
        expect(seen.page.locator(".proven")).to_contain_text("Verified in this browser: row")
    for seen in pasted(browser, f"{served.url}/", unknown):
        expect(seen.page.locator("#answer h2")).to_contain_text("No configuration of this catalog")
        expect(seen.page.locator("#answer .match")).to_have_count(0)
        expect(seen.page.locator("#answer")).to_contain_text("a row of technology cca, which this page does not know")


def test_a_site_of_this_version_names_what_it_does_not_list(
    browser: Browser, published_later: Place, later: BuildResult, tmp_path: Path
) -> None:
    known, unknown = digests(later)
    with static_host(site_of(published_later, tmp_path / "site")) as host:
        for seen in pasted(browser, f"{host.url}index.html", known):
            expect(seen.page.locator("#answer .match").first).to_contain_text("sev-snp")
            expect(seen.page.locator("#answer p.warn").first).to_have_text(f"warning: {NOT_SEARCHED}")
        for seen in pasted(browser, f"{host.url}index.html", unknown):
            expect(seen.page.locator("#answer h2")).to_contain_text("No configuration of this catalog")
            expect(seen.page.locator("#answer p.warn").first).to_have_text(f"warning: {NOT_SEARCHED}")


def test_a_row_is_verified_in_a_log_with_an_unknown_record(
    browser: Browser, place: Place, later: BuildResult, tmp_path: Path
) -> None:
    publish_record(LogFolder(place.log), LOG, place.now + 1)
    place.cosign()
    known, _ = digests(later)
    with static_host(site_of(place, tmp_path / "site")) as host:
        for seen in pasted(browser, f"{host.url}index.html", known):
            expect(seen.page.locator("#answer p.warn").first).to_have_text(f"warning: {NOT_CONSIDERED}")
            seen.page.locator(".proof button").first.click()
            expect(seen.page.locator(".proven")).to_contain_text("Verified in this browser: row")


def record_with_more(place: Place) -> bytes:
    """A record with an additional field of a later version, whose effect this version cannot know."""
    record: dict[str, Any] = json.loads(encode_leaf(next_record(LogFolder(place.log), place.now + 1)))
    return canonical_json({**record, "withdrawn": []})


@pytest.mark.parametrize("more", ["field", "record"])
def test_the_page_verifies_no_log_that_ends_with_an_unknown_record(
    browser: Browser, place: Place, later: BuildResult, tmp_path: Path, more: str
) -> None:
    known, _ = digests(later)
    site = site_of(place, tmp_path / "site")
    leaf = record_with_more(place) if more == "field" else b'{"type":"later"}'
    append(LogFolder(site), LOG, leaf)
    (place.log / "checkpoint").write_bytes((site / "checkpoint").read_bytes())
    place.cosign()
    (site / "checkpoint").write_bytes((place.log / "checkpoint").read_bytes())
    (site / "releases/2").mkdir()
    (site / "releases/2/revocations.json").write_text("[]")
    message = "says more than this page understands: withdrawn" if more == "field" else "is not a release record"
    with static_host(site) as host, page_of(browser) as seen:
        seen.page.goto(f"{host.url}index.html#d={known}")
        seen.page.locator(".proof button").first.click()
        expect(seen.page.locator("#answer [role=alert]")).to_contain_text("NOT VERIFIED")
        expect(seen.page.locator("#answer [role=alert]")).to_contain_text(message)
        assert seen.errors == []
