"""Evidence on the command line: the options of `lookup` and `explain`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

from catalog.abi.digest import LaunchDigest
from catalog.ask.evidence_files import read_evidence, read_tik
from catalog.ask.verification import VerificationInputs
from catalog.cli.declare.declared import Argument, Option
from catalog.cli.options import is_setting, named_path, number_option
from catalog.cli.report_options import now_or, report_checks
from catalog.errors import UsageError
from catalog.evidence.evidence import Evidence
from catalog.files.certificate_inputs import read_certificates, read_collateral, read_revocation_lists, read_roots
from catalog.rows.numbers import parse_number
from catalog.terminal import render
from catalog.values import replace

_REPORT = "Attestation reports (SEV-SNP) and quotes (TDX)"
_MEASURE = "Launch measurements (SEV and SEV-ES)"
_ENDORSEMENTS = "Endorsed digests"

_FORMS = (
    "Launch digest, or a file: attestation report or TDX quote (raw, dumped, or in the evidence of usual tools), ID "
    "block, LAUNCH_MEASURE data, claims, text with a digest{more}; - reads stdin."
)

ExplainArgument = Annotated[
    str | None,
    Argument(metavar="DIGEST|FILE|-", help=_FORMS.format(more="") + " It may be left out with --event-log."),
]
LookupArgument = Annotated[
    str, Argument(metavar="DIGEST|FILE|-", help=_FORMS.format(more=", several digests, one a line"))
]
PrefixOption = Annotated[
    bool,
    Option(
        "--prefix",
        help="The argument is the beginning of a digest, at least 16 hex digits: list the digests that begin with it.",
    ),
]
CertsOption = Annotated[
    Path | None,
    Option(
        "--certs",
        parser=named_path,
        metavar="DIR|FILE",
        envvar="LDCAT_CERTS",
        help="Certificates to verify the report with: VCEK or VLEK, ASK or ASVK, and ARK, in PEM, DER or as a "
        "certificate table; for a quote, TCB info, QE identity, their chain and CRLs. They may come from anybody.",
        rich_help_panel=_REPORT,
    ),
]
RootOption = Annotated[
    Path | None,
    Option(
        "--root",
        parser=named_path,
        metavar="FILE",
        envvar="LDCAT_ROOT",
        help="ARK that you trust in addition to AMD's for Milan, Genoa and Turin; for a quote, a root besides Intel's.",
        rich_help_panel=_REPORT,
    ),
]
TikOption = Annotated[
    Path | None,
    Option(
        "--tik",
        parser=named_path,
        metavar="FILE",
        help="Transport integrity key of the launch session: 16 bytes, or TEK and TIK, 32 bytes. It is never printed.",
        rich_help_panel=_MEASURE,
    ),
]
NonceOption = Annotated[
    str | None,
    Option("--nonce", metavar="HEX", help="Nonce, if the data do not end with it.", rich_help_panel=_MEASURE),
]
ApiMajorOption = Annotated[
    int | None,
    Option(
        parser=number_option,
        metavar="N",
        help="Major API version of the SEV firmware, if not in the data.",
        rich_help_panel=_MEASURE,
    ),
]
ApiMinorOption = Annotated[
    int | None,
    Option(
        parser=number_option,
        metavar="N",
        help="Minor API version of the SEV firmware, if not in the data.",
        rich_help_panel=_MEASURE,
    ),
]
BuildIdOption = Annotated[
    int | None,
    Option(
        parser=number_option,
        metavar="N",
        help="Build ID of the SEV firmware, if not in the data.",
        rich_help_panel=_MEASURE,
    ),
]
PolicyOption = Annotated[
    int | None,
    Option(
        parser=number_option,
        metavar="BITS",
        help="Guest policy of the launch session, if not in the data. For a report: exactly these bits are demanded.",
        rich_help_panel=_MEASURE,
    ),
]
DebugDigestOption = Annotated[
    str | None,
    Option(
        metavar="DIGEST", help="Launch digest according to the host: a hint, tried first.", rich_help_panel=_MEASURE
    ),
]
MinSvnOption = Annotated[
    list[str] | None,
    Option(
        metavar="FEED=N",
        help="Refuse endorsements of this feed with an SVN below N, or without one. May be repeated.",
        rich_help_panel=_ENDORSEMENTS,
    ),
]


def gather(
    argument: str,
    *,
    certs: Path | None,
    root: Path | None,
    tik: Path | None,
    nonce: str | None,
    api_major: int | None,
    api_minor: int | None,
    build_id: int | None,
    policy: int | None,
    crl: Path | None,
    at: str | None,
    require_verified: bool,
    min_tcb: str | None,
    report_data: str | None,
    host_data: str | None,
    id_key: str | None,
    debug_digest: str | None = None,
    min_svn: Sequence[str] = (),
    stdin: BinaryIO | None = None,
) -> tuple[Evidence, VerificationInputs]:
    """The evidence, completed by the options, and what verifies it. argument: a digest, a file or `-`.

    stdin: what is read for `-`, if not that of the process.

    Raises UsageError for options that this form of evidence does not have, and as the functions of `evidence_files`.
    """
    evidence = read_evidence(argument, stdin or sys.stdin.buffer, with_tik=tik is not None)
    numbers = {"api_major": api_major, "api_minor": api_minor, "build_id": build_id, "policy": policy}
    if data := evidence.measure_data:
        nonce_bytes = None if nonce is None else _nonce(nonce)
        evidence = replace(evidence, value=data.completed({**numbers, "nonce": nonce_bytes}))
    elif nonce is not None or any(value is not None for name, value in numbers.items() if name != "policy"):
        raise UsageError(f"nonce, API version and build ID are only for LAUNCH_MEASURE data, not for: {evidence.form}")
    if at is not None and not evidence.verifiable:
        raise UsageError(f"--at is only for an attestation report, not for: {evidence.form}")
    if not evidence.verifiable and is_setting(certs, "LDCAT_CERTS"):
        certs = None  # a setting of this machine, which says nothing about this evidence
    if not (evidence.quote or (evidence.report and certs)) and is_setting(root, "LDCAT_ROOT"):
        root = None
    left_out: list[str] = []
    collateral = read_collateral(certs, left_out) if certs and evidence.quote else None
    certificates = read_certificates(certs, left_out) if certs and not collateral else ()
    for file in left_out:
        render.note(
            f"{file} is left out: it has no certificate{' or collateral' if collateral else ''} that can be read"
        )
    proofs = VerificationInputs(
        certificates=certificates,
        collateral=collateral,
        roots=read_roots(root) if root else (),
        lists=read_revocation_lists(crl) if crl else (),
        now=now_or(at),
        tik=read_tik(tik) if tik else None,
        debug_digest=None if debug_digest is None else LaunchDigest.parse(debug_digest),
        min_svn=least_svns(min_svn),
        checks=report_checks(
            min_tcb=min_tcb,
            policy=None if evidence.measure_data else policy,
            report_data=report_data,
            host_data=host_data,
            id_key=id_key,
        ),
        require_verified=require_verified,
    )
    return evidence, proofs


def _nonce(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise UsageError(f"{text!r} is not a nonce", "give 32 hex digits") from error


def least_svns(given: Sequence[str]) -> dict[str, int]:
    """The least SVN by feed, of every `--min-svn`; raises UsageError for one that is not FEED=N."""
    return dict(map(_least_svn, given))


def _least_svn(text: str) -> tuple[str, int]:
    """Feed and least SVN of `--min-svn FEED=N`; the feed may contain `=`."""
    feed, _, number = text.rpartition("=")
    if not feed or not number or (least := parse_number(number)) < 0:
        raise UsageError(f"{text[:80]!r} is not FEED=N", "such as --min-svn ContainerPlat-AMD-UVM=100")
    return feed, least
