"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from catalog.errors import UsageError
from catalog.faces.render import Format
from catalog.release.numbers import number


def parse_number(text: str) -> int:
    """A number in decimal, 0x or 0b, for an option."""
    try:
        return number(text)
    except UsageError as error:
        raise typer.BadParameter(f"{error} ({error.hint})") from error


def default_catalog() -> Path:
    """Where `ldcat build` puts the default catalog and every command looks for it."""
    data_home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data_home).expanduser() / "ldcat" / "catalog"


def require(chosen: Format, *possible: Format) -> None:
    """Raises UsageError for a format a command has no form for."""
    if chosen not in possible:
        raise UsageError(f"there is no {chosen.value} form of this", f"one of: {', '.join(possible)}")


CatalogOption = Annotated[
    Path | None,
    typer.Option(
        "--catalog",
        metavar="DIR",
        envvar="LDCAT_CATALOG",
        help="Catalog to ask; without it the one that `ldcat build` made of the embedded default.",
    ),
]

QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", envvar="LDCAT_QUIET", help="No notes and no progress on stderr.")
]

TableFormatOption = Annotated[
    Format, typer.Option("--format", "-f", envvar="LDCAT_FORMAT", help="Form of the answer on stdout.")
]
