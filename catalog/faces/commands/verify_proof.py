"""`ldcat verify-proof`: what a proof bundle says, from files alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from catalog.faces import render
from catalog.faces.options import TableFormatOption, named_path, require
from catalog.faces.releases import verified_proof
from catalog.faces.render import Format
from catalog.query.evidence_files import read_asked_digest, read_bounded


def command(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="Bundle that `ldcat prove` wrote.")],
    trust: Annotated[
        Path,
        typer.Option(parser=named_path, metavar="FILE", envvar="LDCAT_TRUST", help="Trust note: whom you believe."),
    ],
    report: Annotated[
        str | None,
        typer.Option(metavar="FILE|DIGEST", help="Attestation report, or launch digest, that it has to be of."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="A script for /bin/sh that verifies the same with sha256sum and openssl.")
    ] = False,
    output: TableFormatOption = Format.TABLE,
) -> int:
    """Verify a proof bundle offline: signatures, witnesses, age, inclusion, then what the row says.

    Exit codes: 0 match, 1 unknown (another digest), 4 bad proof, 6 untrusted signer, 7 revoked, 8 stale, 9 older than
    a checkpoint that was seen here before, 11 signed, and false by its own log.

    With --show everything on stdout is a script, and the verdict a comment in it.
    """
    from catalog.query.proof_bundle import MAX_BUNDLE  # cryptography takes long to load
    from catalog.query.proof_by_hand import as_comment, lines_by_hand
    from catalog.query.verify_proof import read_trust, verdict_to_dict

    require(output, Format.TABLE, *([] if show else [Format.JSON]))
    note = read_trust(read_bounded(str(trust), sys.stdin.buffer, MAX_BUNDLE))
    digest = None if report is None else read_asked_digest(report, sys.stdin.buffer)
    data = read_bounded(file, sys.stdin.buffer, MAX_BUNDLE)
    verdict = verified_proof(data, note, digest)
    record = verdict_to_dict(verdict)
    if output is Format.JSON:
        render.json_document(record)
    else:
        for text in _lines(record):
            render.line(as_comment(text) if show else text)
    for said in verdict.said:
        render.note(said)
    if show:
        for text in lines_by_hand(data, verdict):
            render.exact(text)
    return verdict.outcome.exit_code


def _lines(record: dict[str, Any]) -> list[str]:
    from catalog.faces.matches import fact_lines

    facts = [("why", record["why"])]
    facts += [(name, value) for name, value in (record["row"] or {}).items() if value is not None and name != "type"]
    if record["checkpoint"]:
        facts += [("log", record["checkpoint"]["origin"]), ("leaves", record["checkpoint"]["size"])]
        facts += [("signed by", signer["name"]) for signer in record["signers"]]
    if until := record["fresh_until"]:
        facts.append(("fresh until", render.moment(until)))
    return list(fact_lines(facts, title=record["outcome"]))
