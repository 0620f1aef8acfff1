"""`ldcat site`: write a published log as a folder from which any static host serves it, lookups included."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from catalog.cli.catalogs import open_named
from catalog.cli.declare.declared import Argument, Option
from catalog.cli.help_form import RELEASE_CODES, Example, Group
from catalog.cli.options import OUTPUT, QuietOption, SkipVerifyOption, TrustOption, named_path
from catalog.cli.publisher_options import log_folder, trust_note_file
from catalog.errors import UsageError
from catalog.terminal import render
from catalog.verify.trust_choice import TrustChoice

HELP_ORDER = 190
HELP_GROUP = Group.PLATFORM_OWNERS
EXAMPLES = (Example("ldcat site public -o www --trust trust.note", "Write all files for a static host"),)
EXIT_CODES = RELEASE_CODES


def command(
    out: Annotated[Path, Option(*OUTPUT, parser=named_path, metavar="PATH", help="Folder to make or to update.")],
    release: Annotated[
        Path | None,
        Argument(
            parser=named_path,
            metavar="[RELEASE]",
            help="Folder of a log, or of a release in it; if not given, the log of ldcat.toml and its trust note.",
        ),
    ] = None,
    trust_file: TrustOption = None,
    skip_verify: SkipVerifyOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write everything that a static host has to serve of a log.

    That is the log as it is, and the rows of the release in ranges: small files by the first bits of the digest. A
    lookup takes one request, and the host learns only which few hundred digests the digest is among. Pages for people
    do the same lookups, and verify proofs in the browser. Run it again after each release; the checkpoint is replaced
    last.
    """
    from catalog.pages.site import site_pages
    from catalog.publish.site_folder import write_site  # pyarrow takes long to load
    from catalog.verify.lookup_pack import lookup_pack
    from catalog.verify.release_files import LogFiles, checkpoint_of_release

    if release is None:
        release = log_folder(None)
        trust_file = trust_note_file(trust_file or TrustChoice.of_environment().configured)
    opened = open_named(release, trust_file, skip=skip_verify, quiet=quiet)
    if opened.release is None:
        raise UsageError(f"{release} is not published in a log", "ldcat publish CATALOG --log DIR publishes it")
    published = opened.release
    trust = None if skip_verify else TrustChoice.of_environment(trust_file).trust_for(release)
    with render.progress(quiet=quiet, plain=False) as begin:
        write_site(
            opened,
            Path(published.log),
            out,
            checkpoint=checkpoint_of_release(published),
            named=LogFiles(published).has,
            number=published.number,
            progress=begin("listed", opened.manifest.rows),
            pack=lambda index: lookup_pack(opened, published, index) if published.number == published.last else None,
            pages=lambda index: site_pages(opened, index, trust, out, time.time(), render.warning),
        )
    render.exact(str(out))
