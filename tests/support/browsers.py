"""Debian's Chromium without a user interface, which takes half the processor time, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ELSEWHERE = "catalog.example"
"""A name of this machine that browsers do not recognise as local."""

_PROGRAM = "chromium-headless-shell"
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"),
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Skips without Chromium, unless LDCAT_REQUIRE_ORACLES requires it."""
    found = shutil.which(_PROGRAM)
    if found is None:
        (pytest.fail if os.environ.get("LDCAT_REQUIRE_ORACLES") else pytest.skip)(f"{_PROGRAM} is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_FLAGS))
        yield browser
        browser.close()


@contextmanager
def page_of(browser: Browser, **how: Any) -> Iterator[Watched]:
    """A page in its own profile, with its requests and errors recorded."""
    context = browser.new_context(**how)
    context.set_default_timeout(15_000)
    try:
        yield Watched(context.new_page())
    finally:
        context.close()


class Watched:
    """requests: URLs that it loaded. errors: of its console and scripts. Nothing is taken from a cache."""

    def __init__(self, page: Page) -> None:
        self.page = page
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.send("Network.setCacheDisabled", {"cacheDisabled": True})
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def forget(self) -> None:
        """Reset the records and the page, as if nothing had been loaded."""
        self.page.goto("about:blank")
        self.page.emulate_media(color_scheme="light")
        self.requests.clear()
        self.errors.clear()


def paste(seen: Watched, text: str) -> None:
    seen.page.fill("#digest", text)
    seen.page.keyboard.press("Enter")
    expect(seen.page.locator("#answer h2")).to_be_focused()
