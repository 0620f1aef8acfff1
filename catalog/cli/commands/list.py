"""`ldcat list`: the names that other commands take."""

from __future__ import annotations

from typing import Annotated, Literal

from catalog.cli.catalogs import known_builds
from catalog.cli.declare.declared import Argument
from catalog.cli.help_form import RELEASE_CODES, Example, Group
from catalog.cli.manuals.listings import Listed, rows_of
from catalog.cli.options import FORMAT, BuildsOption, QuietOption, SkipVerifyOption, TrustOption
from catalog.errors import UsageError
from catalog.terminal import render
from catalog.terminal.render import Format

HELP_ORDER = 240
HELP_GROUP = Group.EVERYBODY
EXAMPLES = (
    Example("ldcat list builds", "Show the builds that `ldcat measure` knows by name"),
    Example("ldcat list builds --catalog catalog", "Show those of a catalog, too"),
    Example("ldcat list vmms", "Show the VMM profiles that --vmm takes"),
    Example("ldcat list vcpu-types --format csv > vcpu-types.csv", "Write names and signatures of vCPU types"),
)
EXIT_CODES = RELEASE_CODES


def command(
    kind: Annotated[
        Listed,
        Argument(
            metavar="KIND",
            help="What to list: builds, kernels, vmms (VMM profiles), vcpu-types, fleets or export-formats.",
        ),
    ],
    catalog: BuildsOption = None,
    trust: TrustOption = None,
    skip_verify: SkipVerifyOption = False,
    output: Annotated[Literal[Format.TABLE, Format.JSON, Format.JSONL, Format.CSV], FORMAT] = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """List builds, kernels, VMM profiles, vCPU types, fleets or formats of exports.

    Other commands take these names. They are the embedded ones; with --catalog the builds of a catalog are listed, too.
    """
    if kind is not Listed.BUILDS and (trust or skip_verify):
        raise UsageError(f"{kind} are part of ldcat: there is nothing to verify", f"ldcat list {kind}")
    builds = known_builds(catalog, trust, skip=skip_verify, quiet=quiet) if kind is Listed.BUILDS else {}
    rows = rows_of(kind, builds)
    if output is Format.JSON:
        render.json_document(rows)
    elif output is Format.JSONL:
        render.json_lines(rows)
    elif output is Format.CSV:
        render.csv_rows(list(rows[0]), [list(row.values()) for row in rows])
    else:
        render.table(list(rows[0]), [list(row.values()) for row in rows])
