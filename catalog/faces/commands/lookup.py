"""`ldcat lookup`: a launch digest becomes the configurations that have it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from catalog.abi.digest import LaunchDigest
from catalog.faces import render
from catalog.faces.matches import match_lines, not_found
from catalog.faces.options import CatalogOption, QuietOption, TableFormatOption, default_catalog, require
from catalog.faces.render import Format
from catalog.query.lookup import lookup
from catalog.query.match import Match
from catalog.query.store import Catalog


def command(
    digest: Annotated[
        str,
        typer.Argument(metavar="DIGEST", help="Launch digest in hex, 0x-hex or base64; - reads it from stdin."),
    ],
    catalog: CatalogOption = None,
    output: TableFormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> int:
    """Find every configuration with a launch digest.

    Exit code 0 when there is one, 1 when there is none. A hit says what was launched, never that it can be trusted.
    """
    require(output, Format.TABLE, Format.JSON, Format.JSONL, Format.CSV)
    wanted = LaunchDigest.parse(sys.stdin.read(1024) if digest == "-" else digest)
    matches = lookup(Catalog.open(catalog or default_catalog()), wanted, warn=render.warning)
    if output is Format.JSON:
        render.json_document({"found": bool(matches), "matches": [match.to_dict() for match in matches]})
    elif output is Format.JSONL:
        render.json_lines(match.to_dict() for match in matches)
    elif output is Format.CSV:
        flat = [render.flat(_with_kernel(match)) for match in matches]
        render.csv_rows(list(flat[0]) if flat else [], [list(row.values()) for row in flat])
    else:
        for text in match_lines(matches):
            render.line(text)
    if not matches and not quiet:
        render.note(not_found(wanted.value))
    return 0 if matches else 1


def _with_kernel(match: Match) -> dict[str, object]:
    """The JSON form with every column of the kernel hashes, so that all rows of a CSV have the same."""
    record = match.to_dict()
    names = ("name", "table_sha256", "kernel_sha256", "initrd_sha256", "cmdline_sha256", "append")
    return {**record, "kernel_hashes": record["kernel_hashes"] or dict.fromkeys(names)}
