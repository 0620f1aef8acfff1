"""Pages of an endorsed digest that the log revokes: heading, colour, proof, and no advice that cannot help."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from catalog.abi.digest import LaunchDigest
from catalog.ask.answer import found_answer
from catalog.ask.verification import VerificationInputs
from catalog.build.builder import BuildResult
from catalog.cli.main import run as command
from catalog.evidence.evidence import Evidence
from catalog.log.log_folder import LogFolder
from catalog.pages.views import answer_page
from catalog.store.catalog import Catalog
from catalog.verify.verify_release import unverified_release
from tests.support.browsers import page_of, paste
from tests.support.cli import NOWHERE
from tests.support.endorsed_catalogs import DOCUMENT_SHA256, with_endorsed
from tests.support.endorsed_digests import SNP_DIGEST, endorsed, listed
from tests.support.hosts import static_host
from tests.support.published_logs import Place, cosigned_today, revoke

VALID = "66" * 48
TITLE = "This launch digest is revoked; its configuration is not known"


@pytest.fixture(scope="module")
def place(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("revoked")
    records = [endorsed(document_sha256=DOCUMENT_SHA256), listed(VALID)]
    found = cosigned_today(folder, with_endorsed(small, folder / "catalog", records))
    found.publish(revoke("revoked", "a broken kernel", launch_digest=SNP_DIGEST))
    found.cosign()
    return found


def page_of_digest(place: Place, digest: str) -> str:
    catalog = Catalog.open_release(unverified_release(LogFolder(place.log), None))
    evidence = Evidence("launch digest", LaunchDigest.parse(digest))
    return answer_page(catalog, found_answer(catalog, evidence, VerificationInputs(), lambda _: ()), "../", 0).decode()


def test_the_page_of_a_revoked_endorsement(place: Place) -> None:
    page = page_of_digest(place, SNP_DIGEST)
    assert f'<h1 class="revoked">{TITLE}</h1>' in page
    assert '<section class="match told revoked">' in page
    assert '<li class="danger"><b>DANGER:</b> revoked by the publisher of this log: a broken kernel</li>' in page
    assert f'<a href="../d/{SNP_DIGEST}.proof" download>proof</a>' in page
    assert "ldcat explain" not in page


def test_only_a_page_that_found_nothing_advises_a_search(place: Place) -> None:
    page = page_of_digest(place, VALID)
    assert "<h1>This launch digest is endorsed; its configuration is not known</h1>" in page
    assert (f"{VALID}.proof" in page, "ldcat explain" in page) == (True, False)
    page = page_of_digest(place, NOWHERE)
    assert (
        f"{NOWHERE}.proof" in page,
        f"<code>ldcat explain {NOWHERE} --catalog URL --trust trust.note</code>" in page,
    ) == (False, True)


def test_the_page_of_a_site(place: Place, tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert command(("site", str(place.log), "-o", str(tmp_path / "out"), "--trust", str(place.trust))) == 0
    with static_host(tmp_path / "out") as host, page_of(browser) as seen:
        seen.page.goto(f"{host.url}index.html")
        paste(seen, SNP_DIGEST)
        answer = seen.page.locator("#answer")
        assert answer.locator("h2.revoked").inner_text() == TITLE
        assert answer.locator(".match.revoked li").first.inner_text() == (
            "DANGER: revoked by the publisher of this log: a broken kernel"
        )
        assert f"ldcat prove {SNP_DIGEST} --catalog {host.url.rstrip('/')}" in answer.locator("code").all_inner_texts()
        assert "ldcat explain" not in answer.inner_text()
        paste(seen, VALID)
        assert answer.locator("h2.revoked").count() == 0
        paste(seen, f"{SNP_DIGEST}\n{VALID}\n{NOWHERE}\n")
        expect(answer.locator("tbody tr")).to_have_count(3)
        answers = answer.locator("tbody td:last-child").all_inner_texts()
        assert answers == ["revoked; configuration not known", "endorsed; configuration not known", "not listed"]
        assert answer.locator("b.revoked").count() == 1
