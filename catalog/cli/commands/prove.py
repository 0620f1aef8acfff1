"""`ldcat prove`: make a proof bundle, with which anyone can verify offline that a log has a launch digest."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

from catalog.cli.declare.declared import Argument, Option
from catalog.cli.help_form import Example, Group
from catalog.cli.options import QuietOption, named_location
from catalog.cli.publisher_options import log_folder
from catalog.fast.match_text import not_found, searches_further
from catalog.terminal import render
from catalog.verify.location import HostedLocation

HELP_ORDER = 120
HELP_GROUP = Group.PLATFORM_OWNERS
EXAMPLES = (
    Example(
        "ldcat prove 3e4fd0b3fe3b2dbe481c3d9e99418a034174f26cbe1f55aa212b0f18c12d2d6f --catalog public > proof.json",
        "Write a proof that anybody can verify offline",
    ),
    Example(
        "ldcat prove 3e4fd0b3fe3b2dbe481c3d9e99418a034174f26cbe1f55aa212b0f18c12d2d6f --catalog public "
        "--tlog-proof > digest.tlog-proof",
        "Write a C2SP tlog-proof for other tools",
    ),
)
EXIT_CODES = {0: "the log has the digest", 1: "it does not", 4: "verification failed"}

NOT_OPTIONS = {"--trust": "leave it out: whoever gets the proof verifies it, with ldcat verify-proof FILE --trust NOTE"}
"""Hints for options that other commands have."""

NOT_ENDORSED = "the log has no endorsement of it either"


def command(
    digest: Annotated[str, Argument(metavar="DIGEST", help="Launch digest in hex or base64.")],
    log: Annotated[
        Any,  # CatalogLocation | None
        Option(
            "--catalog",
            parser=named_location,
            metavar="DIR|URL",
            envvar="LDCAT_LOG",
            help="Folder of the log, or its URL; if not given, that in ldcat.toml.",
        ),
    ] = None,
    tlog_proof: Annotated[
        bool,
        Option("--tlog-proof", help="Print a bare C2SP tlog-proof of the first record, for other tools."),
    ] = False,
    quiet: QuietOption = False,
) -> int:
    """Print proofs that a log has a launch digest.

    There is a proof bundle for each row that has it, then for each endorsement. A bundle is one line of JSON: the
    record, its status at the checkpoint, all revocations, and the proofs as C2SP tlog-proof texts. `ldcat verify-proof`
    verifies it with nothing but a trust note.

    --tlog-proof prints a C2SP tlog-proof, with the record as its extra data. It shows that the log has the record, and
    neither a release nor whether the record is revoked: prefer a bundle where ldcat verifies.
    """
    from catalog.abi.digest import LaunchDigest
    from catalog.log.log_folder import LogFolder
    from catalog.prove.prove import Prover  # cryptography takes long to load
    from catalog.store.catalog import Catalog

    launch_digest = LaunchDigest.parse(digest)
    if isinstance(log, HostedLocation):
        from catalog.verify.hosted_log import HostedLog

        place, hosted = str(log), HostedLog.of(log)
        prover = Prover(hosted)
        catalog = hosted.open(prover.release)
    else:
        place = str(log_folder(log, "--catalog DIR|URL"))
        prover = Prover(LogFolder(Path(place)))
        catalog = Catalog.open_release(prover.release)
    for note in catalog.notes:
        render.warning(note.text)
    bundles = prover.prove_digest(launch_digest, warn=render.warning, catalog=catalog)
    if not bundles:
        if not quiet:
            further = searches_further(launch_digest.value, ["--catalog", shlex.quote(place), "--trust", "NOTE"])
            for text in (not_found(launch_digest.value).text, NOT_ENDORSED, further.text):
                render.note(text)
        return 1
    if tlog_proof:
        render.exact(bytes(bundles[0].tlog_proof).decode().removesuffix("\n"))
        if len(bundles) > 1 and not quiet:
            render.note(f"{len(bundles)} records of the log have this digest: this is a proof of the first")
        return 0
    for bundle in bundles:
        render.exact(bytes(bundle).decode("ascii").rstrip("\n"))
    if len(bundles) > 1 and not quiet:
        render.note(f"{len(bundles)} records of the log have this digest: one bundle a line")
    return 0
