"""`ldcat prove`: a bundle with which anyone can check, offline, that a log has a launch digest."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from catalog.cli.options import QuietOption, named_location
from catalog.fast.match_text import not_found
from catalog.terminal import render
from catalog.verify.location import HostedLocation

HELP_ORDER = 120


def command(
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="Launch digest in hex or base64.")],
    log: Annotated[
        Any,  # CatalogLocation
        typer.Option("--log", parser=named_location, metavar="DIR|URL", envvar="LDCAT_LOG", help="Log, or its URL."),
    ],
    quiet: QuietOption = False,
) -> int:
    """Prove that a log has a launch digest: a line of JSON for each configuration that has it.

    A bundle has the row, its status at the checkpoint, and all revocations, each proof as the text that C2SP
    tlog-proof says. `ldcat verify-proof` checks it with nothing else but a trust note. Exit code 1 where the log has no
    such digest.
    """
    from catalog.abi.digest import LaunchDigest
    from catalog.log.log_folder import LogFolder
    from catalog.prove.prove import Prover  # cryptography takes long to load
    from catalog.store.catalog import Catalog

    asked = LaunchDigest.parse(digest)
    if isinstance(log, HostedLocation):
        from catalog.verify.hosted_log import HostedLog

        hosted = HostedLog.of(log)
        prover = Prover(hosted)
        catalog = hosted.open(prover.release)
    else:
        prover = Prover(LogFolder(log))
        catalog = Catalog.open_release(prover.release)
    for note in catalog.notes:
        render.warning(note)
    bundles = prover.prove_digest(asked, warn=render.warning, catalog=catalog)
    if not bundles:
        if not quiet:
            render.note(not_found(asked.value))
        return 1
    for bundle in bundles:
        render.exact(bytes(bundle).decode("ascii").rstrip("\n"))
    if len(bundles) > 1 and not quiet:
        render.note(f"{len(bundles)} configurations have this digest: a bundle a line")
    return 0
