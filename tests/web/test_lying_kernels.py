"""A page that names a kernel, a command line or facts that were not measured: the browser does not show them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from catalog.build.builder import BuildResult
from tests.support.browsers import Watched
from tests.support.catalogs import PLACES, rows_of
from tests.support.hosts import StaticHost
from tests.support.page_verdicts import conclusion

OTHER = hashlib.sha256(b"another kernel").hexdigest()
EVIL = "console=ttyS0 init=/bin/sh"
EVIL_HASH = hashlib.sha256(EVIL.encode() + b"\0").hexdigest()


def with_kernel(small: BuildResult) -> str:
    """A digest all of whose rows have a kernel."""
    return next(
        digest.hex()
        for inputs, digest in rows_of(small).items()
        if inputs[0] == "sev-snp" and inputs[PLACES["kernel_hashes_sha256"]] is not None
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"append": EVIL}, "a command line that is not the measured one"),
        ({"append": "quiet nr_cpus=2 "}, "a command line that is not the measured one"),
        ({"append": EVIL, "cmdline_sha256": EVIL_HASH}, "not in the measured table"),
        ({"kernel_sha256": OTHER}, "not in the measured table"),
        ({"initrd_sha256": OTHER}, "not in the measured table"),
        ({"kernel_sha256": "<b>mine</b>"}, "kernel data that cannot have been measured"),
        ({"append": 3}, "kernel data that cannot have been measured"),
        ({"append": "quiet nr_cpus=2\0 evil"}, "kernel data that cannot have been measured"),
        ({"append": "\ud800"}, "kernel data that cannot have been measured"),
    ],
)
def test_an_unmeasured_kernel_or_command_line_is_found(
    loaded: Page,
    site: Path,
    lying: tuple[Path, StaticHost],
    small: BuildResult,
    changes: dict[str, str | int],
    why: str,
) -> None:
    """Before a proof is requested; rows without a kernel are shown."""
    put_kernel(site, lying[0], changes)
    found = conclusion(loaded, with_kernel(small))
    assert found.startswith("NotMeasured: ")
    assert why in found
    assert "init=/bin/sh" not in found


def put_kernel(site: Path, copy: Path, changes: dict[str, str | int]) -> None:
    """Puts a page.json with a changed kernel into the copy."""
    data = json.loads((site / "page.json").read_bytes())
    ((kernel,),) = data["kernel_hashes"].values()
    kernel.update(changes)
    (copy / "page.json").write_text(json.dumps(data))


def test_the_page_shows_no_unmeasured_kernel_or_command_line(
    seen: Watched, site: Path, lying: tuple[Path, StaticHost], small: BuildResult
) -> None:
    copy, host = lying
    put_kernel(site, copy, {"append": EVIL})
    seen.page.goto(f"{host.url}index.html#d={with_kernel(small)}")
    expect(seen.page.locator("#answer [role=alert]")).to_contain_text("a command line that is not the measured one")
    assert seen.page.locator("#answer .match").count() == 0
    assert "init=/bin/sh" not in seen.page.locator("#answer").inner_text()
    assert seen.errors == []


def test_the_page_derives_facts_from_the_row(
    seen: Watched, site: Path, lying: tuple[Path, StaticHost], small: BuildResult
) -> None:
    """What page.json has next to a row does not determine its image, profile or hashes."""
    copy, host = lying
    data = json.loads((site / "page.json").read_bytes())
    for builds in data["firmware"].values():
        for build in builds:
            build["facts"] = [["firmware", "another"], ["firmware SHA-256", OTHER]]
    data["no_kernel"] = {"name": "", "facts": [["kernel hashes", "mine"]]}
    (copy / "page.json").write_text(json.dumps(data))
    digest = with_kernel(small)
    seen.page.goto(f"{host.url}index.html#d={digest}")
    expect(seen.page.locator("#answer .match").first).to_be_visible()
    shown = seen.page.locator("#answer").inner_text()
    assert OTHER not in shown
    assert "are the publisher's claims" in shown


def test_a_command_line_is_quoted_as_on_the_command_line(seen: Watched, host: StaticHost) -> None:
    texts = [
        "",
        "quiet",
        "it's",
        'say "it\'s"',
        "a\\b",
        "tab\tline\n\r",
        "\x00\x1b[31m\x7f\x9f",
        "\u202eliame",
        "\xa0\u2028",
        "e\u0301 \xe9 \u4e2d \U0001f600",
    ]
    seen.page.goto(f"{host.url}index.html")
    path = seen.page.evaluate("document.querySelector('script').src.replace(/[^/]*$/, 'kernels.js')")
    quoted = "([path, texts]) => import(path).then((found) => texts.map((text) => found.quoted(text)))"
    assert seen.page.evaluate(quoted, [path, texts]) == [repr(text) for text in texts]
