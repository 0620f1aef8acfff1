"""axe-core in a page: what is wrong with it for people who use a keyboard, a screen reader or a magnifier.

axe.min.js is npm's, as the package axe-playwright-python carries it. It runs in the debugger, which no CSP stops.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from playwright.sync_api import Page

_SERIOUS = ("serious", "critical")
_COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}


@cache
def _axe() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def found_by_axe(page: Page, *, only_colours: bool = False) -> dict[str, Any]:
    """Serious and critical findings in the page by rule, with the elements that have them. All rules of axe are used.

    only_colours: use the rule on contrast alone, such as for another theme of a page.
    """
    if not page.evaluate("'axe' in globalThis"):
        page.evaluate(f"(() => {{ {_axe()} }})()")
    how = {"resultTypes": ["violations"], **(_COLOURS if only_colours else {})}
    found = page.evaluate("async (how) => (await axe.run(document, how)).violations", how)
    return {
        one["id"]: [one["help"], *(node["html"][:200] for node in one["nodes"])]
        for one in found
        if one["impact"] in _SERIOUS
    }
