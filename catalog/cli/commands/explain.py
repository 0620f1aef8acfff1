"""`ldcat explain`: find the inputs of a launch digest that is not the expected one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

import typer

from catalog import values
from catalog.ask.answer import Answer
from catalog.ask.answer_text import endorsement_title
from catalog.ask.answering import answer_without_catalog, endorsed_answer
from catalog.ask.evidence_files import read_expectation
from catalog.ask.evidence_notes import FIRMWARE_NOT_PUBLIC
from catalog.ask.verification import VerificationInputs
from catalog.cli.candidate_options import (
    BudgetOption,
    CmdlinesOption,
    EventLogOption,
    ExpectOption,
    FirmwareOption,
    InitrdFilesOption,
    KernelFilesOption,
    known_inputs,
    log_inputs,
)
from catalog.cli.catalogs import open_if_any, print_image_notes
from catalog.cli.evidence_options import (
    ApiMajorOption,
    ApiMinorOption,
    BuildIdOption,
    CertsOption,
    ExplainArgument,
    NonceOption,
    PolicyOption,
    RootOption,
    TikOption,
    gather,
)
from catalog.cli.help_form import RELEASE_CODES, Example, Group
from catalog.cli.options import (
    CatalogOption,
    HtmlOption,
    QuietOption,
    SkipVerifyOption,
    TableFormatOption,
    TrustOption,
    said_again,
)
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
from catalog.cli.shown.event_log_lines import about_evidence, print_log
from catalog.cli.shown.explanation_html import write_page
from catalog.cli.shown.explanation_lines import explanation_lines
from catalog.errors import UsageError
from catalog.evidence.evidence import Evidence
from catalog.explain.baseline import (
    Baseline,
    KnownInputs,
    baseline_of_catalog,
    baseline_of_default,
    baseline_of_files,
    expectation,
)
from catalog.explain.explain import DEFAULT_BUDGET, MAX_BUDGET, Budget, SearchInterrupted, explain
from catalog.explain.explanation import Explanation
from catalog.fast.match_text import exit_code
from catalog.store.catalog import Catalog
from catalog.terminal import interrupts, render
from catalog.terminal.render import Format
from catalog.terminal.search_progress import search_progress
from catalog.work.engine import local_engine, processors

HELP_ORDER = 50
HELP_GROUP = Group.GUEST_OWNERS
EXAMPLES = (
    Example("ldcat explain report.bin --expect expected.json", "Find what differs from the launch that you expected"),
    Example(
        "ldcat explain report.bin --kernel vmlinuz --initrd initrd.img --append 'console=ttyS0'",
        "Also try a kernel, an initrd and a command line of your own",
    ),
    Example(
        "ldcat explain --event-log CCEL --firmware OVMF.fd --kernel vmlinuz --initrd initrd.img",
        "Say which events of a TD's log are known",
    ),
)
EXIT_CODES = RELEASE_CODES | {
    0: "the inputs were found; with --event-log, everything that was compared is known, which proves nothing alone",
    1: "nothing was found; the answer says what is excluded, or which events differ",
    4: "verification failed",
    7: "everything found is revoked",
    130: "interrupted; the answer says what was excluded by then",
}

_MORE = 10
"""How many times the budget is proposed, if it was too small."""


def command(
    context: typer.Context,
    evidence: ExplainArgument = None,
    expect: ExpectOption = None,
    catalog: CatalogOption = None,
    firmware: FirmwareOption = None,
    kernel: KernelFilesOption = None,
    initrd: InitrdFilesOption = None,
    append: CmdlinesOption = None,
    event_log: EventLogOption = None,
    budget: BudgetOption = DEFAULT_BUDGET,
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
    trust: TrustOption = None,
    skip_verify: SkipVerifyOption = False,
    html: HtmlOption = None,
    output: TableFormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> int:
    """Find the inputs of a launch digest that is not the expected one.

    The search starts from --expect, then from everything in the catalog, or from the embedded data if there is no
    catalog. It changes one axis at a time, the likeliest first, then two, then three, and usual mistakes on any number
    of axes. Ctrl-C ends the search: what was excluded by then is printed.
    With --event-log nothing is searched: each event of a TD's log is compared with firmware, kernel, initrd and command
    line, and the log with the RTMRs of a quote, if one is given. No RTMR is predicted.
    """
    Budget.starting(budget, monotonic)  # refuses an invalid one at once
    if event_log and (expect is not None or html):
        raise UsageError("--expect and --html are for a search, and with --event-log nothing is searched")
    if evidence is None:
        opened = open_if_any(catalog, trust, skip=skip_verify, quiet=quiet)
        return print_log(event_log, log_inputs(opened, firmware, kernel, initrd, append), None, output)
    if evidence == expect == "-":
        raise UsageError("stdin can be read only once", "give one of the two as a file")
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
    )
    reply = answer_without_catalog(found, proofs)
    opened = open_if_any(catalog, trust, skip=skip_verify, quiet=quiet)
    if event_log:
        return print_log(
            event_log, log_inputs(opened, firmware, kernel, initrd, append), (found, reply, proofs), output
        )
    known = known_inputs(opened, firmware, kernel, initrd, append)
    print_image_notes(known.firmware, quiet=quiet)
    reply = _with_release(opened, reply, proofs.now, quiet=quiet)
    baselines = _baselines(opened, found.technologies(), known, expect)
    explanation = _explained(found, baselines, known, proofs, budget, quiet=quiet)
    reply, explanation = _completed(opened, reply, explanation)
    return _print(context, reply, proofs.now, explanation, budget, html, output)


def _completed(catalog: Catalog | None, reply: Answer, explanation: Explanation) -> tuple[Answer, Explanation]:
    """Both with what the catalog says about the digest, and the answer with what the search found."""
    if catalog:
        reply = endorsed_answer(catalog, reply, hash_backend(), searched=not explanation.hits)
        explanation = replace(explanation, revocations=catalog.revocations)
    if explanation.hits:
        reply = reply.explained(explanation.hits[0].config().digest(), len(explanation.hits))
    elif explanation.hopeless:
        reply = values.replace(reply, notes=(*reply.notes, FIRMWARE_NOT_PUBLIC))
    return reply, explanation


def _print(
    context: typer.Context,
    reply: Answer,
    now: float,
    explanation: Explanation,
    budget: float,
    html: Path | None,
    output: Format,
) -> int:
    """Print the answer, and write the page unless Ctrl-C ended the search; returns the exit code.

    Raises VerificationFailed if the evidence is refused.
    """
    record = explanation.to_dict()
    hits = list(zip(record["explanations"], map(explanation.divergence, explanation.hits), strict=True))
    longer = min(budget * _MORE, MAX_BUDGET)
    go_on = said_again(context.obj, "--budget", f"{longer:.12g}") if explanation.can_go_on else None
    if html and not explanation.interrupted:
        write_page(html, reply, now, explanation, hits, go_on)
    if output is Format.JSON:
        render.json_document({**about_evidence(reply), **record, "budget": budget, "go_on": go_on})
    else:
        render.answer(explanation_lines(reply, now, explanation, hits, go_on))
    if explanation.interrupted:
        return interrupts.EXIT_CODE
    reply.check_demands()
    return exit_code([hit["revocation"] and hit["revocation"]["severity"] for hit in record["explanations"]])


def _with_release(catalog: Catalog | None, reply: Answer, now: float, *, quiet: bool) -> Answer:
    """The answer with the release of a catalog. Prints who endorses the digest, before a search that takes long."""
    if not catalog:
        return reply
    reply = values.replace(reply, release=catalog.release, catalog_notes=catalog.notes)
    endorsed = endorsed_answer(catalog, reply, hash_backend(), searched=False)
    for one in () if quiet else (*endorsed.endorsements, *endorsed.reported):
        render.note(endorsement_title(one, now))
    return reply


def _baselines(
    catalog: Catalog | None, technologies: Sequence[str], known: KnownInputs, expect: str | None
) -> list[Baseline]:
    """The starting points of the search, in order. catalog: None for the embedded default."""
    base = baseline_of_catalog(catalog, technologies) if catalog else baseline_of_default(technologies)
    if expect is not None:
        return [expectation(read_expectation(expect, sys.stdin.buffer), known), base]
    given = baseline_of_files(base, known)
    return [given, base] if given else [base]


def _explained(
    found: Evidence,
    baselines: Sequence[Baseline],
    known: KnownInputs,
    proofs: VerificationInputs,
    budget: float,
    *,
    quiet: bool,
) -> Explanation:
    """Search on every processor of this machine, and show progress; as far as it came if Ctrl-C ended it."""
    backend = hash_backend()
    try:
        with (
            search_progress(budget, quiet=quiet) as begin,
            local_engine(processors(), threads=backend.compiled) as engine,
        ):
            return explain(
                found,
                baselines,
                known,
                proofs=proofs,
                engine=engine,
                backend=backend,
                budget=Budget.starting(budget, monotonic),
                start_progress=begin,
            )
    except SearchInterrupted as interrupted:
        return interrupted.explanation
