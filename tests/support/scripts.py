"""Scripts of the pages, loaded in a browser without a host; and its reader of evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from playwright.sync_api import Browser, Page, Route

from catalog.pages.assets import assets
from tests.support.evidence_cases import REFUSED

ORIGIN = "https://page.example"

Edit = tuple[int, int, bytes]
"""A part of an input, from an offset to another, and what replaces it."""

Edited = Sequence[tuple[int, Sequence[Edit]]]
"""Numbers of inputs, each with edits to it, which are made one after the other."""

_READ = """async (given) => {
    const [inputs, edited, size] = JSON.parse(given);
    const { Malformed } = await import("./bytes.js");
    const { sniff } = await import("./evidence.js");
    const bytesOf = (text) => {
        const bytes = new Uint8Array(text.length);
        for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
        return bytes;
    };
    const repeated = (text) => text.repeat(Math.ceil(size / text.length)).slice(0, size);
    const originals = inputs.map((text) => bytesOf(size ? repeated(text) : text));
    const changed = (input, [start, end, text]) => {
        const made = new Uint8Array(start + text.length + Math.max(0, input.length - end));
        made.set(input.subarray(0, start));
        made.set(bytesOf(text), start);
        made.set(input.subarray(end), start + text.length);
        return made;
    };
    const read = (input) => {
        try {
            const { form, digest, technologies, claimedBy, notes } = sniff(input);
            const told = notes.map(({ code, severity, text }) => [code, severity, text]);
            return { form, digest, technologies, claimed_by: claimedBy, notes: told, error: null };
        } catch (error) {
            return error instanceof Malformed ? null : `${error.name}: ${error.message}`;
        }
    };
    return edited.map(([number, edits]) => JSON.stringify(read(edits.reduce(changed, originals[number])))).join("\\n");
}"""
"""Takes and returns one text: to pack each value of a list on its own takes Playwright longer than reading does."""


def page_with_scripts(browser: Browser) -> Page:
    """An empty page from which `import("./NAME.js")` finds the scripts."""

    def answer(route: Route) -> None:
        name = route.request.url.rsplit("/", 1)[1]
        if name:
            route.fulfill(body=assets()[name], content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><title>empty</title>", content_type="text/html")

    page = browser.new_page()
    page.route(f"{ORIGIN}/**", answer)
    page.goto(f"{ORIGIN}/")
    return page


def read_by_page(page: Page, inputs: Sequence[bytes], edited: Edited | None = None, size: int = 0) -> Any:
    """What the page's reader says: the fields of a case from form on, or a text for an unexpected error.

    edited: None for each input as it is. size: unless it is 0, each input is repeated up to so many bytes.
    """
    wanted = [(number, ()) for number in range(len(inputs))] if edited is None else edited
    given = [[number, [[start, end, text.decode("latin-1")] for start, end, text in edits]] for number, edits in wanted]
    texts = [data.decode("latin-1") for data in inputs]
    found = page.evaluate(_READ, json.dumps([texts, given, size], ensure_ascii=False))
    return [_parsed(text) for text in found.split("\n")]


@cache
def _parsed(text: str) -> Any:
    found = json.loads(text)
    return REFUSED if found is None else found


def changed(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The input after the edits."""
    for start, end, text in edits:
        data = data[:start] + text + data[end:]
    return data
