"""`ldcat serve` of a catalog with endorsed digests: the same answers as on the command line, as JSON and as pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser
from starlette.responses import Response

from catalog.abi.digest import LaunchDigest
from catalog.build.builder import BuildResult
from catalog.store.catalog import Catalog
from catalog.web import lookups
from catalog.web.answers import BatchAnswer, LookupAnswer
from catalog.web.release.open_release import OpenRelease
from tests.support.attestation_builder import report_bytes
from tests.support.browsers import page_of, paste
from tests.support.catalogs import digest_of
from tests.support.cli import NOWHERE, Run
from tests.support.endorsed_catalogs import DOCUMENT_SHA256, with_endorsed
from tests.support.endorsed_digests import SNP_DIGEST, endorsed, listed
from tests.support.forged_catalogs import forged
from tests.support.services import Service, service
from tests.support.vcpu_chains import ap_tail, extended
from tests.support.waiting import finished

REPORTED, BASE = "77" * 48, "0b" * 48
RELATED = extended(bytes.fromhex(BASE), ap_tail("gce-v1"), 2).hex()


@pytest.fixture(scope="module")
def catalog(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    records = [
        endorsed(document_sha256=DOCUMENT_SHA256),
        listed(REPORTED, scheme="reported"),
        listed(BASE, claims={"vcpus": 2}),
        endorsed(digest_of(small), document_sha256=DOCUMENT_SHA256, svn=8),
    ]
    return with_endorsed(small, tmp_path_factory.mktemp("endorsed") / "catalog", records)


@pytest.fixture(scope="module")
def served(catalog: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("home"), catalog.folder) as found:
        yield found


def test_json_is_that_of_the_command_line(served: Service, catalog: BuildResult, run: Run) -> None:
    for digest in (SNP_DIGEST, REPORTED, RELATED, NOWHERE, digest_of(catalog)):
        expected = json.loads(run("lookup", digest, "--catalog", str(catalog.folder), "-f", "json", "-q")[1])
        assert served.json(f"/d/{digest}.json") == expected
        msgspec.convert(expected, LookupAnswer)
    report = report_bytes(measurement=bytes.fromhex(RELATED))
    status, body, _ = served.ask("/v1/report", method="POST", body=report)
    assert (status, len(json.loads(body)["related"])) == (200, 1)


def test_a_batch_has_no_related_digests(served: Service) -> None:
    wanted = [SNP_DIGEST, REPORTED, RELATED]
    found = served.json("/v1/lookup", {"digests": wanted})
    msgspec.convert(found, BatchAnswer)
    for digest, one in zip(wanted, found["answers"], strict=True):
        alone = served.json(f"/d/{digest}.json")
        assert one == {name: alone[name] for name in one}
        assert "related" not in one


@pytest.mark.parametrize(
    ("digest", "title"),
    [
        (SNP_DIGEST, "This launch digest is endorsed; its configuration is not known"),
        (REPORTED, "No configuration has this launch digest"),
        (RELATED, "No configuration has this launch digest"),
    ],
)
def test_a_page_has_the_texts_of_the_command_line(
    served: Service, catalog: BuildResult, run: Run, digest: str, title: str
) -> None:
    status, body, _ = served.ask(f"/d/{digest}")
    page = unescape(body.decode())
    assert (status, f"<h1>{title}</h1>" in page) == (200, True)
    _, out, err = run("lookup", digest, "--catalog", str(catalog.folder))
    first, *lines = out.splitlines()
    assert f"<h2>{first}</h2>" in page
    for line in lines:
        text = line.strip().partition("  ")[2].strip() or line.strip().partition(": ")[2]
        assert text in page
    for note in (line.partition("note: ")[2] for line in err.splitlines()):
        assert note in page or (note.startswith("to search further: ") and f"ldcat explain {digest}" in page)


def test_related_digests_are_searched_for_one_request_at_a_time(catalog: BuildResult) -> None:
    """Another one is answered without, says so, and is not cached."""
    served = OpenRelease.of(Catalog.open(catalog.folder), None, None)
    plain = served.answer_digest(LaunchDigest.parse(RELATED))

    async def both() -> None:
        async with lookups._relating:
            busy, is_whole = await lookups._related(plain, served)
        assert (busy.related.relations, is_whole) == ((), False)
        assert busy.notes[-1] == lookups.BUSY
        reply = lookups._reply(b"", "text/html", is_whole=False)
        assert isinstance(reply, Response)
        assert reply.headers["Cache-Control"] == "no-store"
        found, is_whole = await lookups._related(plain, served)
        assert (len(found.related.relations), is_whole, found.notes) == (1, True, plain.notes)

    finished(both())


def test_a_catalog_with_false_endorsements_is_not_served(catalog: BuildResult, tmp_path: Path, run: Run) -> None:
    def twice(path: Path) -> None:
        path.write_bytes(2 * path.read_bytes())

    false = forged(catalog, tmp_path / "false", {"endorsements/endorsed.jsonl": twice})
    code, _, err = run("serve", str(false.folder), "--listen", "127.0.0.1:0")
    assert code != 0
    assert err.startswith("ldcat: error: ")


def test_the_lookup_page_has_the_texts_of_the_command_line(
    served: Service, catalog: BuildResult, run: Run, browser: Browser
) -> None:
    with page_of(browser) as seen:
        seen.page.goto(f"{served.url}/")
        for digest, title in (
            (SNP_DIGEST, "This launch digest is endorsed; its configuration is not known"),
            (REPORTED, "No configuration of this catalog has this launch digest"),
            (digest_of(catalog), ""),
        ):
            paste(seen, digest)
            answer = seen.page.locator("#answer")
            assert title in answer.locator("h2").inner_text()
            shown = answer.locator(".match").last
            text = run("lookup", digest, "--catalog", str(catalog.folder), "-q")[1]
            *_, first = (line for line in text.splitlines() if line.startswith(("endorsed", "reported")))
            told = text[text.index(first) :].splitlines()
            assert shown.locator("h3").text_content() == first
            facts = zip(shown.locator("dt").all_inner_texts(), shown.locator("dd").all_inner_texts(), strict=True)
            width = max(map(len, shown.locator("dt").all_inner_texts()))
            notes = shown.locator(".notes li").all_inner_texts()
            closing = answer.locator("section.told ~ p.info").all_inner_texts()
            bad = [f"  {note}" for note in notes if note.startswith("DANGER")]
            lines = [*bad, *(f"  {name:<{width}}  {value}" for name, value in facts)]
            lines += [f"  {note}" for note in notes[len(bad) :]]
            assert [*lines, *closing] == told[1:]
        requested = [path for path in seen.requests if SNP_DIGEST[:12] in path]
        assert (requested, seen.errors) == ([], [])
