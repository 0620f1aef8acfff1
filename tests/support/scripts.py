"""Scripts of the pages, loaded in a browser without a host."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, Route

from catalog.pages.assets import assets

ORIGIN = "https://page.example"


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
