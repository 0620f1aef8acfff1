"""What the scripts of a lookup page conclude about a digest, without the display, which takes ten times as long."""

from __future__ import annotations

from playwright.sync_api import Page

_CONCLUDE = """async (digest) => {
    const folder = document.querySelector("script[type=module]").src.replace(/[^/]*$/, "");
    const [{ Catalog }, { prove }] = await Promise.all(["rows.js", "log.js"].map((name) => import(folder + name)));
    try {
        const catalog = await Catalog.open(document.body.dataset.root);
        const { matches } = await catalog.lookup(digest);
        const proven = await prove(catalog, matches[0].leaf);
        return `proven: signed by ${proven.signers.join(", ")}`;
    } catch (error) {
        return `${error.constructor.name}: ${error.message}`;
    }
}"""


def conclusion(page: Page, digest: str) -> str:
    """Of the proof of the first match: "proven: ...", or the error. All that the host gives is fetched anew."""
    return str(page.evaluate(_CONCLUDE, digest))
