"""`ldcat lookup`: find the configurations that have the launch digest of a report or a launch measurement."""

from __future__ import annotations

from catalog.ask.answer import Answer, answer
from catalog.ask.notes import FIRMWARE_NOT_PUBLIC
from catalog.cli.catalogs import open_named
from catalog.cli.evidence_options import (
    ApiMajorOption,
    ApiMinorOption,
    BuildIdOption,
    CertsOption,
    DebugDigestOption,
    EvidenceArgument,
    NonceOption,
    PolicyOption,
    RootOption,
    TikOption,
    answer_lines,
    gather,
    verification_lines,
)
from catalog.cli.options import (
    CatalogOption,
    QuietOption,
    SkipVerifyOption,
    TableFormatOption,
    TrustOption,
    hash_backend,
    require,
)
from catalog.diff.flat import flat
from catalog.errors import VerificationFailed
from catalog.fast.match import Match
from catalog.fast.match_text import exit_code, not_found
from catalog.terminal import render
from catalog.terminal.render import Format

HELP_ORDER = 40


def command(
    evidence: EvidenceArgument,
    catalog: CatalogOption = None,
    certs: CertsOption = None,
    root: RootOption = None,
    tik: TikOption = None,
    nonce: NonceOption = None,
    api_major: ApiMajorOption = None,
    api_minor: ApiMinorOption = None,
    build_id: BuildIdOption = None,
    policy: PolicyOption = None,
    debug_digest: DebugDigestOption = None,
    trust: TrustOption = None,
    skip_verify: SkipVerifyOption = False,
    output: TableFormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> int:
    """Find every configuration that has this launch digest.

    A report is verified if certificates are given. A launch measurement is compared with every SEV or SEV-ES digest, as
    its policy says. A published release is verified against a trust note first, once for each checkpoint. A match says
    what was launched, never that it can be trusted. Exit code 0 if there is a match, 1 if there is none, 7 if every
    match is revoked, 4 if the certificates do not endorse a report; for a published release also 6 untrusted signer,
    8 stale, 9 older than a checkpoint seen before, 11 signed record that contradicts its own log.
    """
    require(output, Format.TABLE, Format.JSON, Format.JSONL, Format.CSV)
    found, proofs = gather(
        evidence,
        certs=certs,
        root=root,
        tik=tik,
        nonce=nonce,
        api_major=api_major,
        api_minor=api_minor,
        build_id=build_id,
        policy=policy,
        debug_digest=debug_digest,
    )
    opened = open_named(catalog, trust, skip=skip_verify, quiet=quiet)
    reply = answer(opened, found, proofs, hash_backend(), warn=render.warning, tried=lambda _: None)
    _print(reply, output)
    if not reply.matches and not quiet:
        can_search = FIRMWARE_NOT_PUBLIC not in reply.notes
        render.note(not_found(reply.digest.value, can_search=can_search) if reply.digest else _NO_DIGEST)
    if reply.refuted:
        raise VerificationFailed("the certificates do not endorse this report", "see what failed above")
    return exit_code([match.revocation and match.revocation[0] for match in reply.matches])


_NO_DIGEST = "no launch digest of this catalog gives this measurement under this TIK; ldcat explain searches further"


def _print(reply: Answer, output: Format) -> None:
    if output is Format.JSON:
        render.json_document(reply.to_dict())
    elif output is Format.JSONL:
        render.json_lines(match.to_dict() for match in reply.matches)
    elif output is Format.CSV:
        rows = [flat(_with_kernel(match)) for match in reply.matches]
        render.csv_rows(list(rows[0]) if rows else [], [list(row.values()) for row in rows])
    else:
        for text in answer_lines(reply):
            render.line(text)
    if output in (Format.JSONL, Format.CSV):  # these contain only the matches
        for text in verification_lines(reply):
            render.warning(text.strip())
        for note in reply.notes:
            render.warning(note)


def _with_kernel(match: Match) -> dict[str, object]:
    """The JSON of a match with every field of the kernel hashes, so that all rows of a CSV have the same columns."""
    record = match.to_dict()
    names = ("name", "table_sha256", "kernel_sha256", "initrd_sha256", "cmdline_sha256", "append")
    return {**record, "kernel_hashes": record["kernel_hashes"] or dict.fromkeys(names)}
