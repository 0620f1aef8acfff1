"""`ldcat report`: a catalog or a release as one page: what it covers, and why not more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from catalog.ask.coverage import coverage
from catalog.cli.catalogs import open_named
from catalog.cli.options import QuietOption, ReleaseArgument, SkipVerifyOption, TrustOption, named_path
from catalog.pages.pictures.coverage_picture import coverage_matrix
from catalog.terminal import render

HELP_ORDER = 160


def command(
    release: ReleaseArgument,
    html: Annotated[
        Path, typer.Option("--html", parser=named_path, metavar="FILE", help="Where the page is written to.")
    ],
    trust: TrustOption = None,
    skip_verify: SkipVerifyOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a page about a catalog or a release: launches it has digests of, and why not of others; memory maps.

    One file that loads nothing, runs nothing and prints well: light and dark, and for screen readers.
    """
    from catalog.pages.html import write_report

    opened = open_named(release, trust, skip=skip_verify, quiet=quiet)
    covered = coverage_matrix(coverage(opened))
    write_report(html, opened, covered)
    render.exact(str(html))
    render.picture(covered)
