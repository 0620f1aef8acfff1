"""The script that reads evidence in the browser: it agrees with the command line on every shared case."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.evidence_cases import REFUSED, cases, input_of
from tests.support.scripts import page_with_scripts

READ = """async (inputs) => {
    const { Malformed } = await import("./bytes.js");
    const { sniff } = await import("./evidence.js");
    return inputs.map((input) => {
        try {
            const found = sniff(Uint8Array.from(atob(input), (one) => one.charCodeAt(0)));
            const { form, digest, technologies, claimedBy, notes } = found;
            const codes = notes.map(({ code }) => code);
            return { form, digest, technologies, claimed_by: claimedBy, notes: codes, error: null };
        } catch (error) {
            if (error instanceof Malformed) return null;
            return `${error.name}: ${error.message}`;
        }
    });
}"""


@pytest.fixture(scope="module")
def scripts(browser: Browser) -> Iterator[Page]:
    page = page_with_scripts(browser)
    yield page
    page.close()


def read_by_page(page: Page, inputs: list[bytes]) -> list[Any]:
    """What the page's reader says of inputs: the fields of a case from form on; a text for an unexpected error."""
    found = page.evaluate(READ, [base64.b64encode(data).decode() for data in inputs])
    return [REFUSED if one is None else one for one in found]


def test_the_page_reads_every_case_as_the_command_line(scripts: Page) -> None:
    expected = {
        case["id"]: {name: case[name] for name in case if name not in ("id", "what", "input")} for case in cases()
    }
    found = read_by_page(scripts, [input_of(case) for case in cases()])
    assert dict(zip(expected, found, strict=True)) == expected
