"""`ldcat build`: write a catalog with every launch digest of a spec."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from catalog.cli.catalogs import print_image_notes
from catalog.cli.declare.declared import Argument, Option
from catalog.cli.help_form import Example, Group
from catalog.cli.options import OUTPUT, QuietOption, invocation, named_path, number_option
from catalog.cli.program.chosen_backend import hash_backend
from catalog.errors import UsageError
from catalog.spec.counting import MAX_ROWS
from catalog.state.folders import cluster_journals, default_catalog, receipts
from catalog.store import manifest
from catalog.terminal import render

if TYPE_CHECKING:
    from catalog.build.builder import BuildResult
    from catalog.build.cluster.cluster_build import Cluster
    from catalog.launch.hashing.backends import HashBackend
    from catalog.work.engine import Engine


HELP_ORDER = 10
HELP_GROUP = Group.PLATFORM_OWNERS
EXAMPLES = (
    Example("ldcat build", "Build the default catalog: every published build that is embedded", runs=False),
    Example("ldcat build spec.toml -o my-catalog", "Build what a spec describes"),
)

_NAMED = 10
"""Builds without any launch digest that are named."""


class EngineName(StrEnum):
    """Where launch digests are computed."""

    LOCAL = "local"
    DASK = "dask"


def command(
    spec: Annotated[
        Path | None,
        Argument(parser=named_path, metavar="[SPEC.toml]", help="Spec; if not given, the embedded default."),
    ] = None,
    out: Annotated[
        Path | None,
        Option(
            *OUTPUT,
            parser=named_path,
            metavar="PATH",
            envvar="LDCAT_OUT",
            help="Folder to write, whole or not at all. Required with SPEC; else that of the default catalog.",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        Option(
            parser=number_option,
            metavar="N",
            envvar="LDCAT_PROCESSES",
            help="Number of processors to use; all by default. The result is the same.",
        ),
    ] = None,
    engine: Annotated[
        EngineName,
        Option(envvar="LDCAT_ENGINE", help="Where to compute: on this machine, or on a Dask cluster."),
    ] = EngineName.LOCAL,
    scheduler: Annotated[
        str | None,
        Option(metavar="ADDRESS", envvar="LDCAT_SCHEDULER", help="Dask scheduler, as tcp://HOST:PORT."),
    ] = None,
    storage: Annotated[
        str | None,
        Option(
            metavar="DIR|URL",
            envvar="LDCAT_STORAGE",
            help="Folder or URL that all workers of the cluster share; if not given, the folder that holds PATH.",
        ),
    ] = None,
    max_rows: Annotated[
        int,
        Option(parser=number_option, metavar="N", envvar="LDCAT_MAX_ROWS", help="Refuse to build more rows than this."),
    ] = MAX_ROWS,
    quiet: QuietOption = False,
) -> None:
    """Build a catalog of a spec, or of all embedded builds.

    It needs no network and no firmware, and prints the folder. Rows and disk space are counted first. An interrupted
    build changes nothing. Rows that the replaced catalog has already are not computed again.
    """
    from catalog.build.builder import build_catalog
    from catalog.spec.catalog_spec import load_spec

    backend = hash_backend()
    loaded = load_spec(spec)
    if spec is not None and out is None:
        raise UsageError("a spec needs a folder for its catalog", "name it with --output PATH")
    folder = out or default_catalog()
    print_image_notes(loaded.builds, quiet=quiet)
    cluster = _cluster(engine, scheduler, storage, folder)
    with render.progress(quiet=quiet) as begin, _engine(scheduler, cluster, processes, backend) as opened:
        built = build_catalog(
            loaded,
            folder,
            engine=opened,
            backend=backend,
            receipts=receipts(),
            start_progress=begin,
            max_rows=max_rows,
            cluster=cluster,
        )
    render.exact(str(folder))
    if not quiet:
        for text in _about(built, loaded.notes, spec, out):
            render.note(text)


def _about(built: BuildResult, notes: Sequence[str], spec: Path | None, out: Path | None) -> Iterator[str]:
    """What was built. spec, out: as they were given."""
    for name, entry in built.manifest.technologies.items():
        yield f"{name}: {entry.rows:,} launch digests"
    if built.continued:
        yield f"this build goes on with {built.continued:,} files that an earlier one wrote"
    if built.reused:
        yield f"{built.reused:,} were taken from the replaced catalog, and not computed again"
    if endorsed := built.manifest.files.get(manifest.ENDORSED):
        yield f"{endorsed.rows:,} launch digest{'' if endorsed.rows == 1 else 's'} that others publish"
    if spec is not None:  # the embedded builds are the same everywhere: nobody has to act on what they leave out
        yield from _about_the_spec(built, notes)
    if built.example:
        place = "" if out is None else f" --catalog {shlex.quote(str(out))}"
        yield f"try: {shlex.quote(invocation())} lookup {built.example}{place}"


def _about_the_spec(built: BuildResult, notes: Sequence[str]) -> Iterator[str]:
    """What a catalog has no rows of. notes: on the builds and kernels of the spec."""
    if left_out := sum(entry.points for entry in built.manifest.left_out):
        counted = "1 combination was" if left_out == 1 else f"{left_out:,} combinations were"
        yield f"{counted} left out; manifest.json says which and why"
    for name, reason in islice(built.without_rows.items(), _NAMED):
        yield f"no launch digest of {name}: {reason}"
    if (more := len(built.without_rows) - _NAMED) > 0:
        yield f"no launch digest of {more:,} more builds"
    yield from notes


def _cluster(name: EngineName, scheduler: str | None, storage: str | None, folder: Path) -> Cluster | None:
    """Where a cluster works: in the storage that is named, or beside the folder of the catalog. None without one."""
    if (name is EngineName.DASK) != (scheduler is not None):
        raise UsageError("--engine dask and --scheduler ADDRESS go together")
    if scheduler is None:
        if storage is not None:
            raise UsageError(
                "--storage is what the workers of a cluster share", "add --engine dask --scheduler ADDRESS"
            )
        return None
    from catalog.build.cluster.cluster_build import Cluster
    from catalog.work.storage_url import open_storage

    return Cluster(open_storage(storage or str(Path(os.path.realpath(folder)).parent)), cluster_journals())


def _engine(
    scheduler: str | None, cluster: Cluster | None, processes: int | None, backend: HashBackend
) -> AbstractContextManager[Engine]:
    from catalog.work.dask_engine import dask_engine
    from catalog.work.engine import local_engine, processors

    if processes is not None and not 1 <= processes <= 1024:
        raise UsageError(f"--processes {processes} is not between 1 and 1024")
    if scheduler is None or cluster is None:
        return local_engine(processes or processors(), threads=backend.compiled)
    if processes is not None:
        raise UsageError("--processes is for this machine", "a Dask cluster uses the processors of its workers")
    return dask_engine(scheduler, cluster.storage)
