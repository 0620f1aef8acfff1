"""`ldcat explain`: find the inputs of a launch digest that is not the expected one."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from catalog import values
from catalog.ask.answer import Answer, answer_without_catalog, endorsed_answer
from catalog.ask.evidence_files import read_expectation
from catalog.ask.verification import VerificationInputs
from catalog.cli.answer_lines import evidence_lines, told_lines
from catalog.cli.catalogs import open_named, print_image_notes
from catalog.cli.evidence_options import (
    ApiMajorOption,
    ApiMinorOption,
    BuildIdOption,
    CertsOption,
    EvidenceArgument,
    NonceOption,
    PolicyOption,
    RootOption,
    TikOption,
    gather,
)
from catalog.cli.options import (
    CatalogOption,
    HtmlOption,
    QuietOption,
    SkipVerifyOption,
    TableFormatOption,
    TrustOption,
    hash_backend,
    named_path,
    number_option,
    require,
)
from catalog.errors import UsageError, VerificationFailed
from catalog.evidence.evidence import Evidence
from catalog.explain.baseline import (
    EXPECTATION,
    Baseline,
    KnownInputs,
    baseline_of_catalog,
    baseline_of_default,
    baseline_of_files,
    collect_known,
    expectation,
)
from catalog.explain.divergence import Divergence
from catalog.explain.explain import DEFAULT_BUDGET, explain
from catalog.explain.explanation import Explanation
from catalog.fast.match_text import NOT_KNOWN, exit_code, fact_lines
from catalog.pages.pictures.divergence_picture import parting_lines
from catalog.rows.fields import BESIDE_COMPONENTS
from catalog.state.folders import default_catalog
from catalog.store.catalog import Catalog
from catalog.terminal import render
from catalog.terminal.render import Format
from catalog.work.engine import local_engine, processors

HELP_ORDER = 50

Hits = Sequence[tuple[dict[str, Any], Divergence | None]]
"""Explanations as JSON, each with its divergence from the expected launch, or None."""

_EXPLAINED = "explained below"

_CANDIDATES = "Candidates to try, in addition to the known ones"

FirmwareOption = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE|NAME", help="Firmware to try. May be repeated.", rich_help_panel=_CANDIDATES),
]
KernelFilesOption = Annotated[
    list[Path] | None,
    typer.Option(
        parser=named_path,
        metavar="FILE|DIR",
        help="Kernel, or folder of kernels, to try. May be repeated.",
        rich_help_panel=_CANDIDATES,
    ),
]
InitrdFilesOption = Annotated[
    list[Path] | None,
    typer.Option(
        parser=named_path,
        metavar="FILE|DIR",
        help="Initrd, or folder of initrds, to try. May be repeated.",
        rich_help_panel=_CANDIDATES,
    ),
]
CmdlinesOption = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="Kernel command line to try. May be repeated.", rich_help_panel=_CANDIDATES),
]


def command(
    evidence: EvidenceArgument,
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="JSON|FILE|-",
            help="Expected configuration, as `ldcat measure --format json` prints it, or as a batch line.",
        ),
    ] = None,
    catalog: CatalogOption = None,
    firmware: FirmwareOption = None,
    kernel: KernelFilesOption = None,
    initrd: InitrdFilesOption = None,
    append: CmdlinesOption = None,
    budget: Annotated[
        int, typer.Option(parser=number_option, metavar="N", help="Number of candidates to try, roughly.")
    ] = DEFAULT_BUDGET,
    certs: CertsOption = None,
    root: RootOption = None,
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
    catalog. It changes one axis at a time, the likeliest first, then two, then three. Exit code 0 with the axes that
    differ, 1 if nothing was found, with what is excluded, 4 if the certificates do not endorse a report.
    """
    require(output, Format.TABLE, Format.JSON)
    if evidence == expect == "-":
        raise UsageError("stdin can be read only once", "give one of the two as a file")
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
        debug_digest=None,
    )
    reply = answer_without_catalog(found, proofs)
    opened = None
    if catalog or trust or skip_verify or default_catalog().exists():
        opened = open_named(catalog, trust, skip=skip_verify, quiet=quiet)
    known = collect_known(
        opened, firmware=firmware or (), kernels=kernel or (), initrds=initrd or (), appends=append or ()
    )
    print_image_notes(known.firmware, quiet=quiet)
    baselines = _baselines(opened, found.technologies(), known, expect)
    explanation = _explained(found, baselines, known, proofs, budget, quiet=quiet)
    if opened:
        reply = values.replace(reply, release=opened.release, catalog_notes=opened.notes)
        reply = endorsed_answer(opened, reply, hash_backend(), searched=not explanation.hits)
        explanation = replace(explanation, revocations=opened.revocations)
    if explanation.hits:
        reply = reply.explained(explanation.hits[0].config().digest(), len(explanation.hits))
    record = explanation.to_dict()
    hits = list(zip(record["explanations"], map(explanation.divergence, explanation.hits), strict=True))
    if html:
        _write_page(html, reply, proofs.now, explanation, hits)
    if output is Format.JSON:
        render.json_document({**_about(reply), **record})
    else:
        for text in _lines(reply, proofs.now, explanation, hits):
            render.line(text)
    if reply.refuted:
        raise VerificationFailed("the certificates do not endorse this report", "see what failed above")
    return exit_code([hit["revocation"] and hit["revocation"]["severity"] for hit in record["explanations"]])


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
    budget: int,
    *,
    quiet: bool,
) -> Explanation:
    """Search on every processor of this machine, and show progress."""
    backend = hash_backend()
    with (
        render.progress(quiet=quiet, plain=False) as begin,
        local_engine(processors(), threads=backend.compiled) as engine,
    ):
        return explain(
            found, baselines, known, proofs=proofs, engine=engine, backend=backend, budget=budget, start_progress=begin
        )


def _write_page(html: Path, reply: Answer, now: float, explanation: Explanation, hits: Hits) -> None:
    from catalog.pages.html import write_explanation

    write_explanation(
        html,
        explanation.compared_with,
        evidence=[*evidence_lines(reply), *told_lines(reply, now, _EXPLAINED if hits else None)],
        shown=[({**hit, "facts": _facts(hit)}, parted) for hit, parted in hits],
        searched=list(_searched(explanation)),
    )


def _about(reply: Answer) -> dict[str, Any]:
    """The JSON about the evidence: that of `ldcat lookup` without what is said about rows."""
    about = reply.to_dict()
    del about["found"], about["claims"], about["matches"], about["inferred"]
    return about


def _lines(reply: Answer, now: float, explanation: Explanation, hits: Hits) -> Iterator[str]:
    yield from evidence_lines(reply)
    yield from told_lines(reply, now, _EXPLAINED if hits else None)
    compared_with = explanation.compared_with
    for number, (hit, parted) in enumerate(hits, 1):
        title = f"explanation {number}: {hit['technology']}"
        yield from fact_lines(_facts(hit), title=title)
        if not hit["differs"]:
            yield f"  = nothing differs from the {compared_with}"
        other = "expected" if compared_with == EXPECTATION else f"the {compared_with} has"
        for difference in hit["differs"]:
            parts = f" ({', '.join(difference['parts'])})" if difference.get("parts") else ""
            found = f"{difference['axis']}{parts}: {difference['found']}"
            yield f"  * {found}; {other}: {difference['expected']}"
        if related := hit["related"]:
            more = f"{abs(related['more_vcpus'])} {'more' if related['more_vcpus'] > 0 else 'fewer'}"
            yield f"  = the launch with {related['vcpus']} vCPUs, {related['launch_digest']}, with {more}"
        if parted:
            yield "  where they part"
            yield from (f"    {text}" for text in parting_lines(parted))
        for note in hit["notes"]:
            yield f"  ! {note}"
    yield from _searched(explanation)


def _searched(explanation: Explanation) -> Iterator[str]:
    for search in explanation.searches:
        yield f"{search.searched.tried:,} candidates were tried, outward from the {search.source}"
        if not search.searched.hits:
            yield from (f"  {text}" for text in search.summary())


def _facts(hit: dict[str, Any]) -> list[tuple[str, object]]:
    shown: list[tuple[str, object]] = [("launch digest", hit["launch_digest"]), ("firmware", hit["firmware"])]
    shown.append(("firmware SHA-256", hit["firmware_sha256"] or NOT_KNOWN))
    shown.append(("kernel hashes", hit["kernel_hashes"]))
    blobs = (("kernel", "kernel"), ("initrd", "initrd"), ("command line", "cmdline"))
    shown += [(f"{name} SHA-256", hit[f"{key}_sha256"]) for name, key in blobs if hit[f"{key}_sha256"]]
    if hit["vmm"]:
        values = ((field, hit[field.name]) for field in BESIDE_COMPONENTS)
        shown += [
            (field.label, "not measured" if value is None else value)
            for field, value in values
            if value is not None or not field.optional
        ]
    shown.append(("launchable", hit["launchable"]))
    return shown
