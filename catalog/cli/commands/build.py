"""`ldcat build`: every launch digest of a spec."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.options import QuietOption, hash_backend, invocation, named_path, number_option
from catalog.errors import UsageError
from catalog.spec.counting import MAX_ROWS
from catalog.state.folders import default_catalog, receipts
from catalog.terminal import render

if TYPE_CHECKING:
    from catalog.launch.hashing.backends import HashBackend
    from catalog.work.engine import Engine


HELP_ORDER = 10


class EngineName(StrEnum):
    """Where a build is measured."""

    LOCAL = "local"
    DASK = "dask"


def command(
    spec: Annotated[
        Path | None,
        typer.Argument(parser=named_path, metavar="[SPEC.toml]", help="Spec; without it the embedded default."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            parser=named_path,
            metavar="DIR",
            envvar="LDCAT_OUT",
            help="Folder to write, whole or not at all.",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            parser=number_option,
            metavar="N",
            envvar="LDCAT_PROCESSES",
            help="Processors of this machine to use, all by default. The result is the same.",
        ),
    ] = None,
    engine: Annotated[
        EngineName,
        typer.Option(envvar="LDCAT_ENGINE", help="Where to measure: on this machine, or on a Dask cluster."),
    ] = EngineName.LOCAL,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", envvar="LDCAT_SCHEDULER", help="Of the Dask cluster, as tcp://HOST:PORT."),
    ] = None,
    max_rows: Annotated[
        int,
        typer.Option(parser=number_option, metavar="N", envvar="LDCAT_MAX_ROWS", help="Rows a catalog may have."),
    ] = MAX_ROWS,
    quiet: QuietOption = False,
) -> None:
    """Build a catalog: every launch digest of SPEC, or of all embedded builds.

    Needs no network and no firmware. Prints the folder. Rows are counted first, and the room they
    need. An interrupted build changes nothing; rows that the catalog to be replaced has already are not measured again.
    """
    from catalog.build.builder import build_catalog
    from catalog.spec.catalog_spec import load_spec

    if spec is not None and out is None:
        raise UsageError("a spec of your own needs a folder of its own", "name it with --out DIR")
    folder = out or default_catalog()
    backend = hash_backend()
    loaded = load_spec(spec)
    with render.progress(quiet=quiet) as begin, _engine(engine, scheduler, processes, backend) as opened:
        built = build_catalog(
            loaded, folder, engine=opened, backend=backend, receipts=receipts(), start_progress=begin, max_rows=max_rows
        )
    render.exact(str(folder))
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


def _engine(
    name: EngineName, scheduler: str | None, processes: int | None, backend: HashBackend
) -> AbstractContextManager[Engine]:
    from catalog.work.dask_engine import dask_engine
    from catalog.work.engine import local_engine, processors

    if (name is EngineName.DASK) != (scheduler is not None):
        raise UsageError("--engine dask and --scheduler ADDRESS go together")
    if processes is not None and not 1 <= processes <= 1024:
        raise UsageError(f"{processes} processes are not between 1 and 1024")
    if scheduler is None:
        return local_engine(processes or processors(), threads=backend.compiled)
    if processes is not None:
        raise UsageError("--processes is for this machine", "a Dask cluster uses the processors of its workers")
    return dask_engine(scheduler)
