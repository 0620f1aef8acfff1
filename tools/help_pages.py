"""Write the help of all commands to the file from which `--help` prints it at once: `make help-pages`."""

from __future__ import annotations

from pathlib import Path

import typer.main

from catalog.cli.help_page import pages_below
from catalog.cli.program.app import make_app

PAGES = Path(__file__).parent.parent / "catalog" / "cli" / "pages.txt"


def pages_text() -> str:
    """The text of pages.txt."""
    pages = pages_below(typer.main.get_command(make_app()), "ldcat")
    return "".join(f"{line}\n" for page in pages for line in page.plain().lines())


if __name__ == "__main__":
    PAGES.write_text(pages_text(), encoding="utf-8")
