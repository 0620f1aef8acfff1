"""The script that reads evidence in the browser: it agrees with the command line on every shared case."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.attestation_builder import report_bytes
from tests.support.evidence_cases import cases, input_of, read, stated, with_codes
from tests.support.scripts import Edit, changed, page_with_scripts, read_by_page

MUTATED = 60
"""Mutations of each case."""

_PARTS = [
    *(bytes([byte]) for byte in b'{}[]",:09-.e\\ =_ \n\t\0\xff'),
    *(
        b"\\u00e9",
        b"0x",
        b"null",
        b"true",
        b"NaN",
        b"\xc3\xa9",
        b"\xef\xbb\xbf",
        b"\xe2\x80\x8b",
        b"\xe2\x80\xa8",
        b"\x1c",
    ),
]


@pytest.fixture(scope="module")
def scripts(browser: Browser) -> Iterator[Page]:
    page = page_with_scripts(browser)
    yield page
    page.close()


def test_the_page_reads_every_case_as_the_command_line(scripts: Page) -> None:
    """Both say what the case says, and the same of each note."""
    found = read_by_page(scripts, [input_of(case) for case in cases()])
    by_id = {case["id"]: one for case, one in zip(cases(), found, strict=True)}
    assert {name: with_codes(one) for name, one in by_id.items()} == {case["id"]: stated(case) for case in cases()}
    assert by_id == {case["id"]: read(input_of(case)) for case in cases()}


@pytest.mark.parametrize("version", [2, 3, 5])
def test_every_bit_of_a_report_is_read_as_on_the_command_line(scripts: Page, version: int) -> None:
    report = report_bytes(version=version, measurement=bytes(range(48)))
    flips = [(at, at + 1, bytes([byte ^ 1 << bit])) for at, byte in enumerate(report) for bit in range(8)]
    edits = [(0, [flip]) for flip in flips]
    for (_, edit), found in zip(edits, read_by_page(scripts, [report], edits), strict=True):
        assert found == read(changed(report, edit)), edit


def test_mutated_cases_are_read_as_on_the_command_line(scripts: Page) -> None:
    chosen, inputs = random.Random(20), [input_of(case) for case in cases()]
    edited = [(number, _edits(data, chosen)) for number, data in enumerate(inputs) for _ in range(MUTATED)]
    refused = 0
    for (number, edits), found in zip(edited, read_by_page(scripts, inputs, edited), strict=True):
        expected = read(changed(inputs[number], edits))
        assert found == expected, (cases()[number]["id"], edits)
        refused += expected["error"] is not None
    assert 0.2 < refused / len(edited) < 0.97


def test_a_megabyte_of_nonsense_is_read_as_on_the_command_line(scripts: Page) -> None:
    size = 1 << 20
    parts = (
        b"[",
        b'{"a":',
        b"ab",
        b"x\n",
        b"\xff",
        b"measurement:\nab\n",
        b",;",
        b"-----BEGIN CERTIFICATE-----",
        b"\x91",
    )
    assert read_by_page(scripts, parts, size=size) == [read((part * size)[:size]) for part in parts]
    inputs = [b" " * (size + 1), b"000000 00\n*\n100000\n", b"000000 00\n*\n0fffff 41\n"]
    assert read_by_page(scripts, inputs) == [read(data) for data in inputs]


def _edits(data: bytes, chosen: random.Random) -> list[Edit]:
    """One to three: a bit is flipped, a part is left out or doubled, or something is put in."""
    made: list[Edit] = []
    for _ in range(chosen.choice((1, 1, 1, 2, 3))):
        at = chosen.randrange(len(data) + 1)
        end = min(len(data), at + chosen.choice((1, 1, 2, 16, len(data))))
        put = (
            *(bytes([byte ^ 1 << chosen.randrange(8)]) for byte in data[at : at + 1]),
            *(b"", 2 * data[at:end], chosen.choice(_PARTS), chosen.choice(_PARTS) + data[at:end]),
        )
        made.append((at, end, chosen.choice(put)))
        data = changed(data, made[-1:])
    return made
