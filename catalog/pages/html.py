"""HTML from templates, fit for printing: standalone pages, or pages that a host serves.

A standalone page runs no script and loads nothing. The same catalogs give the same bytes.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.fast.match import CLAIMS
from catalog.fast.match_text import printable
from catalog.fast.note_text import MARKS
from catalog.pages.assets import assets_folder
from catalog.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'"
)
"""Content-Security-Policy of pages that a host serves."""

_CLAIMS = f"{CLAIMS.text[0].upper()}{CLAIMS.text[1:]}."


def page(template: str, root: str | None, **shown: Any) -> bytes:
    """A standalone page if `root` is None; else one of several pages that a host serves.

    root: relative URL from the page to the root folder of the pages, such as "" or "../".
    """
    css = markup((_TEMPLATES / "page.css").read_text(encoding="utf-8")) if root is None else None
    assets = None if root is None else assets_folder()
    shown |= {"css": css, "root": root, "assets": assets, "policy": POLICY, "version": __version__, "claims": _CLAIMS}
    return _environment().get_template(template).render(shown).encode("utf-8", "backslashreplace")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["marks"] = MARKS
    return made


def _shown(value: object) -> object:
    """A value as a template shows it: made printable, unless it is markup already."""
    return value if hasattr(value, "__html__") else printable(str(value))


def markup(text: str) -> str:
    """Text that was made and escaped here, which templates do not escape again."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704
