"""`ldcat verify-proof`: verify a proof bundle from files alone."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

from catalog.ask.evidence_files import read_bounded, read_evidence
from catalog.cli.declare.declared import Argument, Option
from catalog.cli.help_form import Example, Group
from catalog.cli.light.verdict_lines import verdict_lines
from catalog.cli.options import LogTrustOption, QuietOption, TableFormatOption, duration_option, named_path
from catalog.cli.trust_files import trust_in
from catalog.errors import NotThere, UsageError, VerificationFailed
from catalog.files.inputs import read_file
from catalog.prove.remembered_proof import verified_proof
from catalog.terminal import render
from catalog.terminal.render import Format

HELP_ORDER = 130
HELP_GROUP = Group.KEY_BROKERS
EXAMPLES = (
    Example(
        "ldcat verify-proof proof.json --trust trust.note --report report.bin",
        "Verify that a log has the launch of a report, offline",
    ),
    Example(
        "ldcat verify-proof proof.json --trust trust.note --show > verify.sh",
        "Write a script that verifies the same with sha256sum and openssl",
    ),
    Example(
        "ldcat verify-proof proof.json --trust trust.note --accept-older 2d",
        "Accept a proof that is up to two days older than what this machine saw of the log",
    ),
)
EXIT_CODES = {
    0: "the proof is valid",
    1: "it is about another digest",
    4: "bad proof",
    6: "untrusted signer",
    7: "revoked",
    8: "stale",
    9: "older than a checkpoint that this machine saw before",
    11: "signed record that contradicts its own log",
    15: "a bare tlog-proof of a record, which does not show whether it is revoked",
}


def command(
    file: Annotated[str, Argument(metavar="FILE|-", help="Proof bundle or tlog-proof that `ldcat prove` printed.")],
    trust: LogTrustOption,
    report: Annotated[
        str | None,
        Option(metavar="FILE|DIGEST", help="Attestation report, or launch digest, that the proof has to be about."),
    ] = None,
    leaf: Annotated[
        Path | None,
        Option(parser=named_path, metavar="FILE", help="The record, for a tlog-proof that does not contain it."),
    ] = None,
    accept_older: Annotated[
        int | None,
        Option(
            "--accept-older",
            parser=duration_option,
            metavar="DURATION",
            help="Accept a proof older than what was seen of the log, if confirmed at most so long ago: 12h, 2d.",
        ),
    ] = None,
    show: Annotated[
        bool,
        Option("--show", help="Print a /bin/sh script that verifies the same with sha256sum and openssl."),
    ] = False,
    output: TableFormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> int:
    """Verify a proof offline, with nothing but a trust note.

    Signatures, policy, age and inclusion are verified, then what the row says.

    A proof that was stapled to a guest may be older than what this machine saw since: --accept-older accepts it, up to
    max-age of the trust note, and applies the revocations that were seen since.

    The signature of a report is not verified: `ldcat lookup --certs` does that.

    With --show, stdout is a script, and the verdict is a comment in it.
    """
    from catalog.prove.proof_bundle import MAX_BUNDLE  # cryptography takes long to load
    from catalog.prove.proof_by_hand import as_comment, lines_by_hand
    from catalog.prove.verdict import Outcome, verdict_to_dict
    from catalog.prove.verify_tlog_proof import is_tlog_proof
    from catalog.transparency.proof import MAX_TEXT

    if show and output is Format.JSON:
        raise UsageError("--show prints a script, which has no format json", "leave out --show or --format")
    note = trust_in(trust)
    about = None if report is None else read_evidence(report, sys.stdin.buffer)
    try:
        data = read_bounded(file, sys.stdin.buffer, MAX_BUNDLE)
    except NotThere as error:
        raise NotThere(str(error), "ldcat prove DIGEST --catalog LOG > FILE makes a proof") from error
    if show and is_tlog_proof(data):
        raise UsageError("--show needs a proof bundle, and this is a bare tlog-proof", "ldcat prove prints bundles")
    record_given = None if leaf is None else read_file(leaf, limit=MAX_TEXT, regular=True).removesuffix(b"\n")
    verdict = verified_proof(data, note, about, now=int(time.time()), leaf=record_given, accept_older=accept_older)
    record = verdict_to_dict(verdict)
    if output is Format.JSON:
        render.json_document(record)
        for one in () if quiet else verdict.notes:
            render.note(one.text)
    else:
        for text in verdict_lines(record, verdict.notes):
            render.line(as_comment(text) if show else text)
    if show:
        for text in lines_by_hand(data, verdict):
            render.exact(text)
    if verdict.outcome is Outcome.BAD:
        raise VerificationFailed(f"{file} proves nothing: {verdict.why}", verdict.hint or "ldcat prove makes another")
    if verdict.hint:
        render.say_hint(verdict.hint)
    return verdict.outcome.exit_code
