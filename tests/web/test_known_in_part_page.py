"""The page in a browser: rows of firmware that is known in part, and rows that follow from a base."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from catalog.cli.main import run as command
from catalog.prove.verdict import Outcome
from catalog.prove.verify_proof import verify_bundle
from catalog.transparency.trust import read_trust
from tests.support.browsers import page_of, paste
from tests.support.catalogs import build
from tests.support.hosts import static_host
from tests.support.partly_known import BASE, BASE_IMAGE, PART, TABLE, TRUE_IMAGE, digest, write_partly_known
from tests.support.published_logs import Place, cosigned_today


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("partly-known")
    return cosigned_today(folder, build(write_partly_known(folder), folder / "catalog"))


@pytest.fixture(scope="module")
def site(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder.parent / "state"))
        assert command(("site", str(place.log), "-o", str(folder), "--trust", str(place.trust))) == 0
    return folder


FIRMWARE = {"firmware": "published", "firmware SHA-256": "not known", "firmware SNP baseline": PART.snp_baseline.hex()}
FOLLOWS = {"firmware": "not known", "follows from": "contrast/v1", "base launch digest": BASE, "base vCPUs": "2"}


@pytest.mark.parametrize(
    ("launch_digest", "expected", "title"),
    [
        (digest(TRUE_IMAGE, 3, TABLE), FIRMWARE, "match 1 of 1: sev-snp"),
        (digest(BASE_IMAGE, 4), FOLLOWS, "inferred 1 of 1, firmware not known: sev-snp"),
    ],
    ids=["firmware", "base"],
)
def test_a_row_is_shown_and_its_proof_verified(
    browser: Browser, place: Place, site: Path, tmp_path: Path, launch_digest: str, expected: dict[str, str], title: str
) -> None:
    with static_host(site) as host, page_of(browser) as seen:
        seen.page.goto(f"{host.url}index.html")
        paste(seen, launch_digest)
        shown = seen.page.locator("#answer .match")
        assert shown.locator("h3").inner_text() == title
        facts = dict(zip(shown.locator("dt").all_inner_texts(), shown.locator("dd").all_inner_texts(), strict=True))
        assert expected.items() <= facts.items()
        shown.get_by_role("button").click()
        expect(shown.locator(".proven")).to_contain_text("Verified in this browser: row")
        with seen.page.expect_download() as download:
            shown.get_by_text("Download the proof").click()
        download.value.save_as(tmp_path / "proof")
        trust = read_trust(place.trust.read_bytes())
        found = verify_bundle((tmp_path / "proof").read_bytes(), trust, now=place.now, seen={}, digest=launch_digest)
        assert found.outcome == (Outcome.MATCH if expected is FIRMWARE else Outcome.INFERRED), found.why
        links = shown.locator("a[href*=builds]")
        assert links.count() == (1 if expected is FIRMWARE else 0)
        if links.count():
            links.click()
            expect(seen.page.locator("dd").first).to_have_text("not known")
        assert seen.errors == []


def test_the_heading_of_an_inferred_digest(browser: Browser, site: Path) -> None:
    with static_host(site) as host, page_of(browser) as seen:
        seen.page.goto(f"{host.url}index.html")
        paste(seen, digest(BASE_IMAGE, 3))
        heading = "This launch digest follows from a published one; its firmware is not known"
        expect(seen.page.locator("#answer h2")).to_have_text(heading)
        expect(seen.page.locator("#answer .notes")).to_contain_text("inferred: whoever knows one launch digest")
