"""`ldcat build`: every launch digest of a spec."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from catalog.errors import UsageError
from catalog.faces import render
from catalog.faces.options import QuietOption, default_catalog, invocation, kernels, parse_number


def command(
    spec: Annotated[
        Path | None, typer.Argument(metavar="[SPEC.toml]", help="Spec; without it the embedded default.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", envvar="LDCAT_OUT", help="Folder to write, whole or not at all."),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            parser=parse_number,
            metavar="N",
            envvar="LDCAT_PROCESSES",
            help="Processors to use, all there are by default. The result is the same.",
        ),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Build a catalog: every launch digest of SPEC, or of all embedded builds.

    Needs no network and no firmware. Prints the folder. An interrupted build changes nothing.
    """
    from catalog.release.build import build_catalog
    from catalog.release.engine import local_engine, processors
    from catalog.release.spec import load_spec

    if spec is not None and out is None:
        raise UsageError("a spec of your own needs a folder of its own", "name it with --out DIR")
    if processes is not None and not 1 <= processes <= 1024:
        raise UsageError(f"{processes} processes are not between 1 and 1024")
    folder = out or default_catalog()
    chosen = kernels()
    with (
        render.progress(quiet=quiet) as begin,
        local_engine(processes or processors(), threads=chosen.compiled) as engine,
    ):
        built = build_catalog(load_spec(spec), folder, engine=engine, kernels=chosen, begin=begin)
    render.line(str(folder))
    if not quiet:
        for name, entry in built.manifest.technologies.items():
            render.note(f"{name}: {entry.rows:,} launch digests")
        if built.reused:
            render.note(f"{built.reused:,} of them were in the catalog that was there; the others are new")
        left_out = sum(entry.points for entry in built.manifest.left_out)
        render.note(f"{left_out:,} points of the cross product are left out; manifest.json says which and why")
        if built.example:
            place = "" if out is None else f" --catalog {shlex.quote(str(out))}"
            render.note(f"try: {shlex.quote(invocation())} lookup {built.example}{place}")
