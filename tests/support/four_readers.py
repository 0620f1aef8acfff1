"""What the command line, the service, the Python API and the page say of the same evidence, in one shape each.

An answer: form, digest in hex, names: of the firmware of each match, and notes: codes of those on the evidence itself.
None if the evidence is refused, is several digests, or says nothing without its TIK.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from catalog import Release
from catalog.errors import LdcatError
from catalog.evidence.several_digests import read_batch
from tests.support.cli import Run
from tests.support.evidence_cases import read
from tests.support.services import Service

Answer = dict[str, Any] | None

_LOOK_UP = """async ([scripts, inputs]) => {
    const at = (name) => new URL(`${scripts}/${name}.js`, document.baseURI);
    const { Malformed } = await import(at("bytes"));
    const { sniff } = await import(at("evidence"));
    const { Catalog } = await import(at("rows"));
    const catalog = await Catalog.open(document.body.dataset.root);
    const answered = async (input) => {
        const bytes = Uint8Array.from(atob(input), (one) => one.charCodeAt(0));
        const { form, digest, notes, isDigest, technologies } = sniff(bytes);
        if (digest === null) return null;
        const { matches } = await catalog.lookup(digest);
        const names = matches.filter(({ technology }) => isDigest || technologies.includes(technology))
            .map(({ facts }) => facts.find(([name]) => name === "firmware")[1]);
        return { form, digest, names: names.sort(), notes: notes.map(({ code }) => code).sort() };
    };
    const found = [];
    for (const input of inputs) {
        found.push(await answered(input).catch((error) => {
            if (error instanceof Malformed) return null;
            throw error;
        }));
    }
    return found;
}"""


def by_command(run: Run, path: Path, *options: str) -> Answer:
    code, out, _ = run("lookup", str(path), "-f", "json", *options)
    if read_batch(path.read_bytes()):  # a line for each digest
        return None
    return _answer(json.loads(out), path.read_bytes()) if code in (0, 1, 4, 7, 10) else None


def by_service(served: Service, data: bytes) -> Answer:
    status, body, _ = served.ask("/v1/report", method="POST", body=data)
    assert status in (200, 400, 422), body
    return _answer(json.loads(body), data) if status == 200 else None


def by_api(release: Release, data: bytes) -> Answer:
    try:
        return _answer(release.lookup(data).to_dict(), data)
    except LdcatError:
        return None


def by_page(page: Page, inputs: list[bytes]) -> list[Answer]:
    """page: the lookup page of a service or a site."""
    script = page.locator("script[type=module]").get_attribute("src") or ""
    found = page.evaluate(_LOOK_UP, [script.rpartition("/")[0], [base64.b64encode(one).decode() for one in inputs]])
    return list(found)


def _answer(found: dict[str, Any], data: bytes) -> Answer:
    """An answer in JSON. Its notes are of the evidence, of the matches and of the catalog."""
    of_evidence = [code for code, _, _ in read(data)["notes"]]
    codes = [note["code"] for note in found["notes"]]
    return {
        "form": found["evidence"],
        "digest": found["launch_digest"],
        "names": sorted(match["firmware"]["name"] for match in found["matches"]),
        "notes": sorted(code for code in codes if code in of_evidence),
    }
