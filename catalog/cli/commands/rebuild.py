"""`ldcat rebuild`: recompute every launch digest of a log from components, and cosign if all are right."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from catalog.cli.declare.declared import Argument, Option
from catalog.cli.help_form import Example, Group
from catalog.cli.options import (
    KEY,
    LogTrustOption,
    PassphraseOption,
    QuietOption,
    TableFormatOption,
    named_location,
)
from catalog.cli.program.chosen_backend import hash_backend
from catalog.cli.trust_files import trust_in
from catalog.errors import FalseRecord, UsageError, VerificationFailed
from catalog.fast.match_text import fact_lines
from catalog.terminal import render
from catalog.terminal.render import Format
from catalog.verify.location import CatalogLocation, HostedLocation

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.log.log_folder import LogFolder

HELP_ORDER = 110
HELP_GROUP = Group.AUDITORS
EXAMPLES = (
    Example("ldcat rebuild public --trust trust.note", "Recompute every digest of a log"),
    Example(
        "ldcat rebuild public --trust trust.note --cosign --key keys/witness.key",
        "Cosign the checkpoint if everything is the same",
    ),
)
EXIT_CODES = {
    0: "everything is the same",
    4: "something differs: nothing is cosigned",
    6: "untrusted signer",
    8: "stale",
    9: "older than a checkpoint seen before",
    11: "the last release record does not follow from the log",
}

MAX_SHOWN = 20
"""Differences in the table; JSON has all of them."""


def command(
    log: Annotated[
        Any,  # CatalogLocation, and typer knows no unions
        Argument(parser=named_location, metavar="LOG", envvar="LDCAT_LOG", help="Folder of the log, or its URL."),
    ],
    trust_file: LogTrustOption,
    cosign: Annotated[bool, Option("--cosign", help="Cosign the checkpoint if everything is the same.")] = False,
    key: Annotated[Path | None, KEY] = None,
    passphrase: PassphraseOption = None,
    output: TableFormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> int:
    """Recompute every launch digest of a log, and compare.

    It needs no firmware: the components of a release have all facts that its launch digests follow from. `ldcat
    inspect` shows whether they are those of an image. What releases say about their components is recomputed too.
    """
    from catalog.audit.rebuild import rebuild  # cryptography takes long to load
    from catalog.cli.cosigning import cosign_now, cosigned_facts, cosigner_keys
    from catalog.verify.releases_of_log import read_checkpoint
    from catalog.work.engine import local_engine, processors

    if cosign and key is None:
        raise UsageError("--cosign needs a key", "--key FILE, made by ldcat keygen --for witness")
    folder, backend = _log_at(log), hash_backend()
    if cosign and not folder.is_here:
        raise UsageError(
            "a cosignature is written to the folder of the log, and a URL is given",
            "give a folder: ldcat rebuild LOG --cosign; at a URL, run a witness: ldcat witness serve",
        )
    trust = trust_in(trust_file)
    trust.check_expiry(int(time.time()))
    pairs = cosigner_keys(key, passphrase) if cosign and key else []
    checkpoint = trust.open_uncosigned(read_checkpoint(folder))
    with (
        render.progress(quiet=quiet, plain=False) as begin,
        local_engine(processors(), threads=backend.compiled) as engine,
    ):
        progress = begin("rebuilt", checkpoint.size)
        now = int(time.time())
        rebuilt = rebuild(folder, checkpoint, now=now, engine=engine, backend=backend, progress=progress)
    cosigned = cosign_now(folder, pairs, trust, only=checkpoint) if pairs and rebuilt.same else None
    record = {
        **checkpoint.to_dict(),
        "releases": rebuilt.releases,
        "rows": rebuilt.rows,
        "endorsed": rebuilt.endorsed,
        "same": rebuilt.same,
        "differences": [found.to_dict() for found in rebuilt.differences],
        "cosigned": cosigned and cosigned_facts(cosigned, pairs[0].key.name),
    }
    if output is Format.JSON:
        render.json_document(record)
    else:
        for text in _lines(record):
            render.line(text)
    if rebuilt.is_false:
        raise FalseRecord("the last release record does not follow from the log", "see what differs above")
    if not rebuilt.same:
        raise VerificationFailed(
            "not all of the log was recomputed with the same result", "see above what differs or was left out"
        )
    return 0


def _log_at(location: CatalogLocation) -> LogFolder:
    """The log to recompute, as a whole. Raises UsageError for the URL of a release."""
    from catalog.log.log_folder import LogFolder  # cryptography takes long to load
    from catalog.verify.hosted_log import HostedLog

    if not isinstance(location, HostedLocation):
        return LogFolder(location)
    if location.number is not None:
        raise UsageError(
            f"a log is recomputed as a whole, not release {location.number} alone", f"ldcat rebuild {location.url}"
        )
    return HostedLog.of(location)


def _lines(record: dict[str, Any]) -> Iterator[str]:
    facts = [(name, record[name]) for name in ("size", "root", "releases", "rows", "endorsed")]
    yield from fact_lines(facts, title=record["origin"])
    found = record["differences"]
    for difference in found[:MAX_SHOWN]:
        counted = f" ({difference['rows']:,} rows)" if difference["rows"] > 1 else ""
        yield f"  {difference['severity']}: release {difference['release']}: {difference['what']}{counted}"
        if difference["row"]:
            fields = [
                (name, value) for name, value in difference["row"].items() if value is not None and name != "type"
            ]
            yield from (f"    {name} {value}" for name, value in fields)
            yield f"    recomputed {difference['recomputed']}"
    if len(found) > MAX_SHOWN:
        yield f"  and {len(found) - MAX_SHOWN:,} more, which --format json prints"
    if record["same"]:
        yield "  every launch digest was recomputed, and is the same"
        if record["endorsed"]:
            yield "  endorsed digests follow from nothing: they are those of the catalogs of their releases"
    if record["cosigned"]:
        yield f"  cosigned by {record['cosigned']['cosigner']}"
