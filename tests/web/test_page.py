"""The page in a real browser: from a static host and from the service, with and without scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from catalog.build.builder import BuildResult
from catalog.fast.note_text import note_line, titled
from catalog.notes import Note
from catalog.prove.verdict import Outcome
from catalog.prove.verify_proof import verify_bundle
from catalog.transparency.trust import read_trust
from tests.support.attestation_builder import report_bytes
from tests.support.browsers import Watched, page_of, paste
from tests.support.catalogs import digest_with
from tests.support.hosts import StaticHost
from tests.support.published_logs import Place
from tests.support.services import Service

NOWHERE = "0" * 96
CHIP = bytes(range(7, 71))


@pytest.fixture(params=["served", "static"])
def url(request: pytest.FixtureRequest) -> str:
    """URL of the page, once on each."""
    if request.param == "served":
        served: Service = request.getfixturevalue("served")
        return f"{served.url}/"
    return str(request.getfixturevalue("host").url) + "index.html"


@pytest.fixture
def seen(page: Watched, url: str) -> Iterator[Watched]:
    page.forget()
    page.page.goto(url)
    yield page
    assert page.errors == []


def test_a_pasted_digest(seen: Watched, served: Service, small: BuildResult) -> None:
    """Every match, with the facts and notes that the service gives without scripts."""
    snp = digest_with(small, technology="sev-snp")
    for digest in (digest_with(small), snp, digest_with(small, vmm="ec2-2026"), digest_with(small, vcpus=3)):
        seen.requests.clear()
        paste(seen, f"  0x{digest.upper()}\n")
        expected = served.json(f"/d/{digest}.json")["matches"]
        matches = seen.page.locator("#answer .match")
        assert matches.count() == len(expected)
        for at, match in enumerate(expected):
            shown = matches.nth(at)
            noted = [Note(note["code"], note["text"]) for note in match["notes"]]
            title = f"match {at + 1} of {len(expected)}: {match['technology']}"
            assert shown.locator("h3").inner_text() == titled(title, noted)
            told = seen.page.locator("#answer > .warn.danger").all_inner_texts()
            texts = [text for text in map(note_line, noted) if text not in told]
            assert shown.locator(".notes li").all_inner_texts() == texts
            facts = dict(zip(shown.locator("dt").all_inner_texts(), shown.locator("dd").all_inner_texts(), strict=True))
            assert facts["firmware"] == match["firmware"]["name"]
            assert facts["firmware SHA-256"] == match["firmware"]["sha256"]
            assert facts["launchable"] == match["launchable"]
            assert facts.get("vCPUs", "None") == str(match["vcpus"])
            assert facts.get("sev_features") == match["sev_features"]
        requested = [path for path in seen.requests if not path.endswith((".js", ".css", "page.json"))]
        assert len(requested) <= 1, requested
        assert not [path for path in seen.requests if digest[:12] in path.lower()]


def test_the_page_without_scripts_shows_the_same(browser: Browser, served: Service, small: BuildResult) -> None:
    digest = digest_with(small, vcpus=3)
    with page_of(browser) as one, page_of(browser, java_script_enabled=False) as other:
        one.page.goto(f"{served.url}/")
        paste(one, digest)
        other.page.goto(f"{served.url}/")
        other.page.fill("#digest", digest)
        other.page.click("button[type=submit]")
        assert other.page.url == f"{served.url}/d/{digest}"
        for part in ("dl", ".notes"):
            assert (
                other.page.locator(f".match {part}").all_inner_texts()
                == one.page.locator(f".match {part}").all_inner_texts()
            )
        heading = other.page.locator(
            "h1"
        ).inner_text()  # the service compared the whole digest, the page 16 bytes of it
        assert heading == one.page.locator("#answer h2").inner_text().replace("are listed with", "have")
        assert one.errors + other.errors == []


def test_an_unknown_digest(seen: Watched) -> None:
    paste(seen, NOWHERE)
    expect(seen.page.locator("#answer h2")).to_have_text("No configuration of this catalog has this launch digest")
    expect(seen.page.locator("#answer")).to_contain_text("Only this host's word says that no row has this digest")
    paste(seen, "nonsense")
    expect(seen.page.locator("#answer [role=alert]")).to_have_text(
        "This is not a launch digest, an attestation report or LAUNCH_MEASURE data."
    )
    expect(seen.page.locator("#answer .hint")).to_contain_text("Accepted are a launch digest; ")


def test_a_proof_is_verified_and_downloaded(
    seen: Watched, published: Place, small: BuildResult, tmp_path: Path
) -> None:
    trust = read_trust(published.trust.read_bytes())
    for number, vcpus in enumerate((None, 3, 1)):
        digest = digest_with(small) if vcpus is None else digest_with(small, vcpus=vcpus)
        paste(seen, digest)
        proof = seen.page.locator(".proof").first
        proof.locator("button").click()
        expect(proof.locator(".proven")).to_contain_text("Verified in this browser: row")
        expect(proof.locator(".proven")).to_contain_text("signed by example.com/log, w.example; fresh until 20")
        assert ("not revoked" in proof.inner_text()) == (vcpus != 3)
        with seen.page.expect_download() as download:
            proof.get_by_text("Download the proof").click()
        download.value.save_as(tmp_path / f"{number}.proof")
        found = verify_bundle(
            (tmp_path / f"{number}.proof").read_bytes(), trust, now=published.now, seen={}, digest=digest
        )
        assert found.outcome == (Outcome.REVOKED if vcpus == 3 else Outcome.MATCH), found.why


def test_a_report_is_parsed_in_the_browser(seen: Watched, small: BuildResult, tmp_path: Path) -> None:
    digest = digest_with(small, technology="sev-snp")
    raw = report_bytes(measurement=bytes.fromhex(digest), policy=0xB0000, vmpl=1, chip=CHIP)
    (tmp_path / "report.bin").write_bytes(raw)
    posted: list[str] = []
    seen.page.on("request", lambda request: posted.append(f"{request.method} {request.url} {request.post_data or ''}"))
    seen.page.set_input_files("#file", tmp_path / "report.bin")
    shown = seen.page.locator("#answer")
    expect(shown).to_contain_text("the guest policy allows debugging")
    expect(shown).to_contain_text("the report is of VMPL 1")
    expect(shown).to_contain_text("warning: its signature is not verified here")
    expect(shown.locator(".match").first).to_contain_text("sev-snp")
    drop(seen, "report.bin", raw)
    expect(shown).to_contain_text("the report is of VMPL 1")
    assert [line for line in posted if not line.startswith("GET ")] == []
    for line in posted:
        assert digest[:12] not in line
        assert CHIP.hex()[:12] not in line


def test_a_launch_measurement_is_parsed_in_the_browser(seen: Watched) -> None:
    data = json.dumps({"return": {"data": "A" * 64, "policy": 1, "api-major": 1, "api-minor": 55, "build-id": 8}})
    before = len(seen.requests)
    drop(seen, "measure.json", data.encode())
    shown = seen.page.locator("#answer")
    expect(shown.locator("h2")).to_have_text("A launch measurement")
    expect(shown).to_contain_text("allows other guests to share its memory key")
    expect(shown).to_contain_text("ldcat lookup measurement.json --tik tik.bin --catalog http://127.0.0.1:")
    assert len(seen.requests) == before


def drop(seen: Watched, name: str, data: bytes) -> None:
    """Drops a file on the page."""
    seen.page.evaluate(
        """([name, bytes]) => {
            const dropped = new DataTransfer();
            dropped.items.add(new File([Uint8Array.from(bytes)], name));
            const at = { dataTransfer: dropped, bubbles: true, cancelable: true };
            document.body.dispatchEvent(new DragEvent("dragover", at));
            document.body.dispatchEvent(new DragEvent("drop", at));
        }""",
        [name, list(data)],
    )
    expect(seen.page.locator("#answer h2")).to_be_focused()


def test_the_digest_of_a_permalink_is_not_sent(seen: Watched, url: str, small: BuildResult) -> None:
    digest = digest_with(small, technology="sev-snp")
    seen.forget()
    seen.page.goto(f"{url}#d={digest}")
    expect(seen.page.locator("#answer .match").first).to_be_visible()
    assert seen.page.locator("#answer .tools a").get_attribute("href") == f"#d={digest}"
    assert seen.requests
    assert not [path for path in seen.requests if digest[:12] in path.partition("#")[0]]


def test_the_page_with_only_the_keyboard(seen: Watched, small: BuildResult) -> None:
    expect(seen.page.locator("#digest")).to_be_focused()
    seen.page.keyboard.type(digest_with(small))
    seen.page.keyboard.press("Tab")
    expect(seen.page.locator("button[type=submit]")).to_be_focused()
    seen.page.keyboard.press("Enter")
    expect(seen.page.locator("#answer h2")).to_be_focused()
    seen.page.keyboard.press("Tab")
    expect(seen.page.locator(".match a").first).to_be_focused()
    seen.page.keyboard.press("Tab")
    expect(seen.page.locator(".proof button").first).to_be_focused()
    seen.page.keyboard.press("/")
    expect(seen.page.locator("#digest")).to_be_focused()


def test_navigation_through_builds_and_releases(browser: Browser, url: str) -> None:
    with page_of(browser, java_script_enabled=False) as seen:
        seen.page.goto(url)
        seen.page.click("nav >> text=Builds")
        expect(seen.page.locator("h2", has_text="What it covers")).to_be_visible()
        seen.page.locator(".builds a").first.click()
        expect(seen.page.locator("h2", has_text="Memory map")).to_be_visible()
        assert seen.page.locator("svg.picture").count() == 1
        seen.page.click("nav >> text=Releases")
        seen.page.locator("td a").first.click()
        expect(seen.page.locator("h2", has_text="Where rows changed")).to_be_visible()
        assert seen.page.url.endswith("/diff/1...2.html")
        seen.page.click("nav >> text=Lookup")
        expect(seen.page.locator("#digest")).to_be_visible()
        assert seen.errors == []


def test_a_static_host_names_what_needs_scripts(browser: Browser, host: StaticHost) -> None:
    with page_of(browser, java_script_enabled=False) as seen:
        seen.page.goto(host.url + "index.html")
        expect(seen.page.locator("noscript p")).to_contain_text("Scripts are off, and this host serves only files")
