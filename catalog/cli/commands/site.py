"""`ldcat site`: a published log as a folder that any static host serves whole: lookups too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from catalog.cli.catalogs import open_named
from catalog.cli.options import QuietOption, SkipVerifyOption, TrustOption, named_path
from catalog.errors import UsageError
from catalog.terminal import render
from catalog.verify.trust_choice import TrustChoice

HELP_ORDER = 190


def command(
    release: Annotated[
        Path, typer.Argument(parser=named_path, metavar="RELEASE", help="Folder of a log, or of a release in it.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", parser=named_path, metavar="DIR", help="Folder that is made, or completed.")
    ],
    trust: TrustOption = None,
    skip_verify: SkipVerifyOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write everything that a static host has to serve of a log and of one release in it.

    The log as it is, and the rows of the release in ranges: small files by the first bits of digests. A lookup then
    costs one request, and the host learns no more than which few hundred digests it is among. Pages for people beside
    them ask just so, and verify proofs in the browser. Run it again after each release; the checkpoint is replaced
    last.
    """
    from catalog.pages.site import site_pages
    from catalog.publish.site_folder import write_site  # pyarrow takes long to load
    from catalog.verify.release_files import LogFiles, checkpoint_of_release

    opened = open_named(release, trust, skip=skip_verify, quiet=quiet)
    if opened.release is None:
        raise UsageError(f"{release} is published in no log", "ldcat publish CATALOG --log DIR makes one")
    believed = None if skip_verify else TrustChoice.of_environment(trust).trust_for(release)
    with render.progress(quiet=quiet, plain=False) as begin:
        write_site(
            opened,
            Path(opened.release.log),
            out,
            checkpoint=checkpoint_of_release(opened.release),
            named=LogFiles(opened.release).has,
            number=opened.release.number,
            progress=begin("listed", opened.manifest.rows),
            pages=lambda index: site_pages(opened, index, believed, out, render.warning),
        )
    render.exact(str(out))
