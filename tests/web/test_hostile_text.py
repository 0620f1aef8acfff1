"""Text from a release is data: what a service and a static host serve of a lying publisher's release."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect

from catalog.cli.main import run as command
from catalog.fast.match_text import printable
from catalog.log.records import RevokeRecord
from tests.support.browsers import Watched, paste
from tests.support.hostile import (
    HOSTILE,
    NAME,
    NO_NUL,
    REASON,
    UNSEEN,
    LyingPlace,
    check_shown,
    liars_catalog,
    texts_of,
)
from tests.support.hosts import static_host
from tests.support.services import Service, service


@pytest.fixture(scope="module")
def lying(tmp_path_factory: pytest.TempPathFactory) -> LyingPlace:
    place = LyingPlace(tmp_path_factory.mktemp("lying"), liars_catalog(tmp_path_factory.mktemp("lies")))
    place.publish(RevokeRecord(type="revoke", selector={"vcpus": 3}, severity="revoked", reason=REASON))
    return place


@pytest.fixture(scope="module")
def liar(lying: LyingPlace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of the lying publisher's release."""
    with service(tmp_path_factory.mktemp("home"), lying.log, "--trust", lying.trust) as found:
        yield found


@pytest.fixture(scope="module")
def liars_site(lying: LyingPlace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same release as a site."""
    folder = tmp_path_factory.mktemp("site") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder.parent / "state"))
        assert command(["site", str(lying.log), "-o", str(folder), "--trust", str(lying.trust), "-q"]) == 0
    with static_host(folder) as found:
        yield f"{found.url}index.html"


def digests(lying: LyingPlace, vcpus: int | None = None) -> list[str]:
    """Digests of rows with kernel hashes, all of whose names are hostile."""
    rows = pq.read_table(lying.catalog / "sev-snp/launch_digests.parquet").to_pylist()
    wanted = [row for row in rows if row["kernel_hashes_sha256"] and row["vcpus"] == (vcpus or row["vcpus"])]
    return sorted(row["launch_digest"].hex() for row in wanted)


def test_a_liars_release_is_served_as_data(liar: Service, lying: LyingPlace) -> None:
    paths, seen = ["/"], set()
    for digest in (digests(lying, 3)[0], digests(lying, 2)[0]):
        paths += [f"/d/{digest}", f"/d/{digest}.json", f"/d/{digest}.proof"]
    paths += ["/page.json", "/d/%1b%5b2J%e2%80%ae.json", "/openapi.json"]
    shown = 0
    while paths:
        path = paths.pop()
        if path in seen:
            continue
        seen.add(path)
        for accept in ("text/html", "*/*"):
            _, body, headers = liar.ask(path, headers={"Accept": accept})
            kind = headers["Content-Type"].partition(";")[0]
            text = body.decode("utf-8")
            if kind == "text/html":
                check_shown(text)
                assert "<img" not in text
                shown += printable(HOSTILE)[:20] in text
                paths += [
                    f"/{found.removeprefix('../')}" for found in re.findall(r'href="((?:\.\./)?[^"]*\.html)"', text)
                ]
            elif kind.endswith("json"):
                assert text.isascii()
                check_shown(text)
                if path == f"/d/{digests(lying, 2)[0]}.json":
                    assert {HOSTILE, NO_NUL} <= set(texts_of(json.loads(text)))
    assert shown > 3
    assert any(path.startswith("/diff/") for path in seen)
    for line in liar.log_lines:
        check_shown(line)


@pytest.mark.parametrize("where", ["liar", "liars_site"])
def test_a_browser_shows_a_liars_release_as_data(
    seen: Watched, lying: LyingPlace, request: pytest.FixtureRequest, where: str
) -> None:
    found = request.getfixturevalue(where)
    seen.page.goto(found if isinstance(found, str) else f"{found.url}/")
    for digest, revoked in ((digests(lying, 3)[0], True), (digests(lying, 2)[0], False)):
        paste(seen, digest)
        for proof in seen.page.locator(".proof").all():
            proof.locator("button").click()
            expect(proof.locator(".proven")).to_contain_text("Verified in this browser")
            expect(proof).to_contain_text(printable(NAME))
        shown = seen.page.locator("#answer").inner_text()
        assert printable(HOSTILE) in shown
        assert printable(NO_NUL) in shown
        assert (printable(REASON) in shown) == revoked
        assert not set(shown) & (UNSEEN - {"\n", "\t"})
        assert not set(seen.page.content()) & (UNSEEN - {"\n"})
        assert seen.page.locator("img").count() == 0
        assert seen.page.title() != "pwned"
    assert seen.errors == []


@pytest.mark.parametrize(
    "text", [HOSTILE, NAME, *sorted(UNSEEN), "\ud800", "a\udce9b", "\U0001f600 \u5e7f \u05d0 x\\n"]
)
def test_a_browser_escapes_what_the_command_line_does(page: Watched, text: str) -> None:
    """The same rule in two languages."""
    script = (Path(__file__).parents[2] / "catalog/pages/assets/elements.js").read_text(encoding="utf-8")
    rule = re.search(r"function printable\(text\) \{.*?\n\}\n", script, re.DOTALL)
    assert rule
    escaped = "".join(f"\\u{unit:04x}" for unit in memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H"))
    assert page.page.evaluate(f'(() => {{ {rule[0]} return printable("{escaped}"); }})()') == printable(text)
