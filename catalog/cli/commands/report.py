"""`ldcat report`: write a page about a catalog or a release: what it covers, and why not more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from catalog.ask.coverage import coverage
from catalog.cli.catalogs import open_named
from catalog.cli.declare.declared import Option
from catalog.cli.help_form import RELEASE_CODES, Example, Group
from catalog.cli.options import QuietOption, ReleaseArgument, SkipVerifyOption, TrustOption, named_path
from catalog.pages.pictures.coverage_picture import coverage_matrix
from catalog.terminal import render

HELP_ORDER = 160
HELP_GROUP = Group.AUDITORS
EXAMPLES = (
    Example("ldcat report catalog --html report.html", "Write a page about a catalog"),
    Example(
        "ldcat report public --html report.html --trust trust.note", "Write a page about the newest release of a log"
    ),
)
EXIT_CODES = RELEASE_CODES


def command(
    release: ReleaseArgument,
    html: Annotated[Path, Option("--html", parser=named_path, metavar="FILE", help="HTML file to write.")],
    trust: TrustOption = None,
    skip_verify: SkipVerifyOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a page about a catalog or a release.

    It has the launches that are covered, why others are not, and memory maps. The page is one HTML file that loads
    nothing and runs nothing. It prints well, has a light and a dark form, and supports screen readers.
    """
    from catalog.pages.report_page import write_report

    opened = open_named(release, trust, skip=skip_verify, quiet=quiet)
    covered = coverage_matrix(coverage(opened))
    write_report(html, opened, covered)
    render.exact(str(html))
    render.picture(covered)
