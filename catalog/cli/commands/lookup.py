"""`ldcat lookup`: find the configurations that have the launch digest of a report or a launch measurement."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from catalog.ask.answer import Answer
from catalog.ask.answer_text import miss_notes, told
from catalog.ask.answering import answer
from catalog.ask.evidence_files import read_several
from catalog.ask.found_endorsements import check_feeds
from catalog.cli.answer_lines import answer_lines, verification_lines
from catalog.cli.batch_lookup import check_digests_alone, look_up_batch, print_candidates, with_kernel
from catalog.cli.catalogs import open_named, search_options
from catalog.cli.evidence_options import (
    ApiMajorOption,
    ApiMinorOption,
    BuildIdOption,
    CertsOption,
    DebugDigestOption,
    LookupArgument,
    MinSvnOption,
    NonceOption,
    PolicyOption,
    PrefixOption,
    RootOption,
    TikOption,
    gather,
    least_svns,
)
from catalog.cli.help_form import RELEASE_CODES, Example, Group
from catalog.cli.options import (
    FORMAT,
    CatalogOption,
    MaxCheckpointAgeOption,
    QuietOption,
    SkipVerifyOption,
    TrustOption,
)
from catalog.cli.prefix_lookup import candidates, parse_prefix
from catalog.cli.program.chosen_backend import hash_backend
from catalog.cli.report_options import (
    AtOption,
    CrlOption,
    HostDataOption,
    IdKeyOption,
    MinTcbOption,
    ReportDataOption,
    RequireVerifiedOption,
)
from catalog.diff.flat import flat
from catalog.fast.match_text import NOT_FOUND
from catalog.fast.note_text import MARKS
from catalog.notes import DANGER, WARNING
from catalog.terminal import render
from catalog.terminal.render import Format

HELP_ORDER = 15
HELP_GROUP = Group.GUEST_OWNERS
EXAMPLES = (
    Example("ldcat lookup report.bin", "Find the launch that an attestation report is about"),
    Example(
        "ldcat lookup 3e4fd0b3fe3b2dbe481c3d9e99418a034174f26cbe1f55aa212b0f18c12d2d6f",
        "Find every configuration with a launch digest",
    ),
    Example(
        "ldcat lookup report.bin --certs certs --require-verified",
        "Accept a report only if AMD's certificates endorse it",
    ),
    Example(
        "ldcat lookup report.bin --catalog https://log.example.com --trust trust.note",
        "Look it up in a published log, verified with a trust note",
        runs=False,
    ),
)
EXIT_CODES = RELEASE_CODES | {
    0: "a known configuration has the digest",
    1: "none has it",
    4: "verification failed, or the report is not as demanded; the answer is printed all the same",
    7: "everything found is revoked, or --min-svn refuses it",
    10: "the digest is only endorsed or inferred",
    14: "--prefix has candidates",
}


def command(
    evidence: LookupArgument,
    catalog: CatalogOption = None,
    certs: CertsOption = None,
    root: RootOption = None,
    crl: CrlOption = None,
    at: AtOption = None,
    require_verified: RequireVerifiedOption = False,
    min_tcb: MinTcbOption = None,
    report_data: ReportDataOption = None,
    host_data: HostDataOption = None,
    id_key: IdKeyOption = None,
    tik: TikOption = None,
    nonce: NonceOption = None,
    api_major: ApiMajorOption = None,
    api_minor: ApiMinorOption = None,
    build_id: BuildIdOption = None,
    policy: PolicyOption = None,
    debug_digest: DebugDigestOption = None,
    min_svn: MinSvnOption = None,
    prefix: PrefixOption = False,
    trust: TrustOption = None,
    skip_verify: SkipVerifyOption = False,
    max_checkpoint_age: MaxCheckpointAgeOption = 0,
    output: Annotated[Literal[Format.TABLE, Format.JSON, Format.JSONL, Format.CSV], FORMAT] = Format.TABLE,
    quiet: QuietOption = False,
) -> int:
    """Find every configuration that has this launch digest.

    Several digests, one a line, get one answer a line, and the exit code of the worst line. A report is verified if
    certificates are given. A TDX quote brings its own, and needs Intel's collateral for the status of its platform. A
    launch measurement is compared with every SEV or SEV-ES digest, as its policy says. A published release is verified
    against a trust note first, once for each checkpoint. A match says what was launched, never that it can be trusted.
    """
    demands = (crl, at, require_verified or None, min_tcb, report_data, host_data, id_key)
    others = (tik, nonce, api_major, api_minor, build_id, policy, debug_digest, *demands)
    if prefix:
        check_digests_alone(certs, root, (*others, min_svn or None), "--prefix finds candidates, which")
        wanted = parse_prefix(evidence)
        opened = open_named(catalog, trust, skip=skip_verify, quiet=quiet, max_age=max_checkpoint_age)
        return print_candidates(candidates(opened, wanted, warn=render.warning), output)
    lines, stdin = read_several(evidence, sys.stdin.buffer)
    if lines:
        check_digests_alone(certs, root, others, "a batch has launch digests, which")
        opened = open_named(catalog, trust, skip=skip_verify, quiet=quiet, max_age=max_checkpoint_age)
        least = least_svns(min_svn or ())
        check_feeds(opened.endorsements, least)
        return look_up_batch(opened, lines, least, output)
    found, proofs = gather(
        evidence,
        certs=certs,
        root=root,
        crl=crl,
        at=at,
        require_verified=require_verified,
        min_tcb=min_tcb,
        report_data=report_data,
        host_data=host_data,
        id_key=id_key,
        tik=tik,
        nonce=nonce,
        api_major=api_major,
        api_minor=api_minor,
        build_id=build_id,
        policy=policy,
        debug_digest=debug_digest,
        min_svn=min_svn or (),
        stdin=stdin,
    )
    opened = open_named(catalog, trust, skip=skip_verify, quiet=quiet, max_age=max_checkpoint_age)
    check_feeds(opened.endorsements, proofs.min_svn)
    reply = answer(opened, found, proofs, hash_backend(), warn=render.warning, tried=lambda _: None)
    _print(reply, output, proofs.now)
    if reply.found_code == NOT_FOUND and not quiet:
        for note in miss_notes(reply, search_options(catalog, trust, skip=skip_verify)):
            render.note(note.text)
    reply.check_demands()
    return reply.exit_code


def _say_check(line: str) -> None:
    """Print a line of `verification_lines` on stderr: a warning if something is not as it should be."""
    if line.startswith((f"{MARKS[WARNING]}: ", f"{MARKS[DANGER]}: ")):
        render.warning(line.removeprefix(f"{MARKS[WARNING]}: "))
    else:
        render.note(line)


def _print(reply: Answer, output: Format, now: float) -> None:
    if output is Format.JSON:
        render.json_document(reply.to_dict())
    elif output is Format.JSONL:
        render.json_lines(reply.parts())
    elif output is Format.CSV:
        rows = [flat(with_kernel(match)) for match in reply.matches]
        if rows:  # the columns depend on them
            render.csv_rows(list(rows[0]), [list(row.values()) for row in rows])
    else:
        render.answer(answer_lines(reply, now))
    if output in (Format.JSONL, Format.CSV):  # these do not contain what is said about the evidence
        for text in verification_lines(reply):
            _say_check(text.strip())
        for note in reply.notes:
            render.warning(note.text)
    if output is Format.CSV:  # nor this anything but matches
        for part in told(reply, now):
            for text in (part.title, *(note.text for note in part.notes)):
                render.warning(text)
