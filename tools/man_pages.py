"""Write the man pages of all commands to a folder; `make wheels` and `make release` do it before they build."""

from __future__ import annotations

import sys
from pathlib import Path

import typer.main

from catalog.cli.help_page import pages_below
from catalog.cli.manuals.man_page import man_name, man_page
from catalog.cli.program.app import make_app


def write_man_pages(folder: Path) -> list[Path]:
    """Write `NAME.1` for each command, and remove other pages; returns the files."""
    pages = list(pages_below(typer.main.get_command(make_app()), "ldcat"))
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.1"):
        old.unlink()
    files = {folder / f"{man_name(page)}.1": man_page(page, pages) for page in pages}
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    return sorted(files)


if __name__ == "__main__":
    write_man_pages(Path(sys.argv[1]))
