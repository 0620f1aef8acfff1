"""`ldcat publish`: the rows of a catalog become leaves of a log, and its files a signed release."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from catalog.ask.evidence_files import read_bounded
from catalog.cli.options import PassphraseOption, QuietOption, TableFormatOption, named_path, read_passphrase, require
from catalog.state.folders import default_catalog, remembered
from catalog.terminal import render
from catalog.terminal.render import Format
from catalog.verify.checked_index import check_index_once
from catalog.verify.opening import open_unpublished

HELP_ORDER = 80


def command(
    log: Annotated[
        Path,
        typer.Option(parser=named_path, metavar="DIR", help="Folder of the log, which a static host serves as it is."),
    ],
    key: Annotated[
        Path, typer.Option(parser=named_path, metavar="FILE", envvar="LDCAT_KEY", help="Private keys of the log.")
    ],
    catalog: Annotated[
        Path | None,
        typer.Argument(
            parser=named_path, metavar="CATALOG", help="Folder that `ldcat build` made; its default without it."
        ),
    ] = None,
    trust: Annotated[
        Path | None,
        typer.Option(
            parser=named_path, metavar="NOTE", help="Trust note the release stands by; without it that of the last one."
        ),
    ] = None,
    lower_trust_version: Annotated[
        bool,
        typer.Option(
            "--lower-trust-version", help="The last release names a version of the trust note that nobody ever made."
        ),
    ] = False,
    passphrase: PassphraseOption = None,
    output: TableFormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> int:
    """Append what the log does not have yet, and sign its checkpoint.

    Whatever interrupts it, the release before stays as it is, and the next run goes on. A log that is older than what
    this machine signed last is refused, and so is a catalog that has another digest for a configuration of the log, or
    shows of its components what does not follow from them, or has an index that does not lead to its rows.
    """
    from catalog.log.log_folder import LogFolder
    from catalog.publish.key_files import read_keys
    from catalog.publish.publish import publish
    from catalog.transparency.encoding import to_base64
    from catalog.transparency.note import MAX_NOTE
    from catalog.transparency.trust import read_trust  # cryptography takes long to load

    require(output, Format.TABLE, Format.JSON)
    signers = [pair.signer for pair in read_keys(key, read_passphrase(passphrase))]
    note = None if trust is None else read_trust(read_bounded(str(trust), sys.stdin.buffer, MAX_NOTE))
    opened = open_unpublished(catalog or default_catalog())
    opened.check_components()
    check_index_once(opened)
    state = remembered("signed", signers[0].key.name)
    state.check_signed_by([signer.key for signer in signers])
    published = publish(
        opened,
        LogFolder(log),
        signers,
        state,
        trust=note,
        lower_trust_version=lower_trust_version,
        now=int(time.time()),
    )
    found = published.checkpoint
    facts = {
        "origin": found.origin,
        "release": published.release,
        "new_rows": published.new_rows,
        "trust_version": published.trust_version,
        "size": found.size,
        "root": to_base64(found.root),
    }
    if output is Format.JSON:
        render.json_document(facts)
    else:
        render.facts([fact for fact in facts.items() if fact[1] is not None], title=str(log))
    if published.new_revoked:
        render.warning(f"{published.new_revoked} of the new rows are revoked by what the log says of such rows")
    if not published.new_rows and not quiet:
        render.note("the log has every row of this catalog")
    for why in published.false:
        render.warning(f"{why}; the new release is right without it")
    return 0
