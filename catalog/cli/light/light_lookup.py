"""The light path of `ldcat lookup`: JSON, and reports in files, without typer, pyarrow, duckdb or msgspec.

A key broker looks up a report for each boot, and reads JSON. Whatever this path does not know, cannot verify, or finds
more about than matches takes the full path (cli/main.py). An answer has one form on both: `Answer` and its lines.
"""

from __future__ import annotations

import os
import sys
from time import time

from catalog.cli.light.light_evidence import light_evidence
from catalog.errors import LdcatError
from catalog.fast.match_text import NOT_FOUND, printable, shown_lines
from catalog.fast.plain_lookup import found_at_once, named_folder, search_options
from catalog.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.ask.answer import Answer
    from catalog.ask.verification import VerificationInputs
    from catalog.endorse.report_checks import ReportChecks
    from catalog.evidence.evidence import Evidence

_VARIABLES = {
    "--format": "LDCAT_FORMAT",
    "--certs": "LDCAT_CERTS",
    "--root": "LDCAT_ROOT",
    "--catalog": "",
    "--trust": "",
    "--report-data": "",
    "--host-data": "",
}
"""The options with a value, each with the environment variable that stands for it here."""

_SHORT = {"-f": "--format", "-q": "--quiet"}

_FLAGS = ("--quiet", "--require-verified")

_OTHERWISE = ("LDCAT_QUIET", "LDCAT_HASH_BACKEND", "LDCAT_KERNELS")
"""Environment variables that need the full path."""


def light_lookup(arguments: list[str]) -> tuple[str, str, int] | None:
    """What to print on stdout and stderr, and the exit code; None: take the full path."""
    options = _options(arguments)
    if options is None or any(os.environ.get(name) for name in _OTHERWISE):
        return None
    try:
        evidence = light_evidence(options["evidence"])
        if evidence is None:
            return None
        reply = _answer(evidence, options)
        return reply and _printed(*reply, options)
    except (LdcatError, OSError, ValueError):  # which the full path reports
        return None


def _options(arguments: list[str]) -> dict[str, str] | None:
    """The options by name, with those of the environment, and flags; None if there are others.

    Also `evidence`, and `named`: the catalog as the command line names it, or empty.
    """
    given: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=") if argument.startswith("--") else (argument, "", "")
        name = _SHORT.get(name, name)
        if name in _VARIABLES:
            given[name] = value if equals else next(rest, "")
            if not given[name] or given[name].startswith("-"):
                return None
        elif name in _FLAGS and not equals:
            given[name] = name
        elif argument.startswith("-") or "evidence" in given:
            return None
        else:
            given["evidence"] = argument
    folder = named_folder(given.get("--catalog", ""))
    from_environment = {name: os.environ.get(variable, "") for name, variable in _VARIABLES.items()}
    options = {"--format": "table", **{name: value for name, value in from_environment.items() if value}, **given}
    known = options["--format"] in ("table", "json") and folder and "evidence" in options
    return {**options, "--catalog": folder, "named": given.get("--catalog", "")} if known else None


def _answer(evidence: Evidence, options: dict[str, str]) -> tuple[Answer, VerificationInputs] | None:
    """The answer, and what the evidence was verified by; None if the full path may say more."""
    from catalog.ask.answer import matched_answer
    from catalog.ask.verification import VerificationInputs, check_verification_inputs

    found = found_at_once(evidence.digest.value, options["--catalog"], options.get("--trust", ""))
    if found is None:
        return None
    certs, roots = options.get("--certs"), options.get("--root")
    if evidence.quote and certs:
        return None
    if not evidence.report and certs == os.environ.get("LDCAT_CERTS"):
        certs = None  # a setting of this machine, which says nothing about this evidence
    if not (evidence.quote or (evidence.report and certs)) and roots == os.environ.get("LDCAT_ROOT"):
        roots = None
    proofs = VerificationInputs(now=time(), require_verified="--require-verified" in options)
    if "--report-data" in options or "--host-data" in options:
        proofs = replace(proofs, checks=_checks(options))
    if certs or roots:
        from catalog.files.certificate_inputs import read_certificates, read_roots

        left_out: list[str] = []
        given = read_certificates(certs, left_out) if certs else ()
        if left_out:
            return None
        proofs = replace(proofs, certificates=given, roots=read_roots(roots) if roots else ())
    check_verification_inputs(evidence, proofs)
    return matched_answer(evidence, proofs, *found), proofs


def _checks(options: dict[str, str]) -> ReportChecks:
    from catalog.endorse.report_checks import HOST_DATA_SIZE, REPORT_DATA_SIZE, ReportChecks, parse_bytes

    sizes = {"--report-data": REPORT_DATA_SIZE, "--host-data": HOST_DATA_SIZE}
    wanted = {name: parse_bytes(options[name], size, name) for name, size in sizes.items() if name in options}
    return ReportChecks(report_data=wanted.get("--report-data"), host_data=wanted.get("--host-data"))


def _printed(reply: Answer, proofs: VerificationInputs, options: dict[str, str]) -> tuple[str, str, int] | None:
    """The answer as the full path prints it; None for an exit code that comes with an error."""
    if reply.exit_code not in (0, NOT_FOUND):
        return None
    if options["--format"] == "json":
        from catalog.terminal.json_text import json_document

        lines = json_document(reply.to_dict()).split("\n")
        shown = "".join(f"{printable(line) if sys.stdout.isatty() else line}\n" for line in lines)
    else:
        from catalog.cli.answer_lines import answer_lines

        shown = shown_lines(answer_lines(reply, proofs.now))
    notes = [reply.release.summary()] if reply.release else []
    if reply.exit_code == NOT_FOUND:
        from pathlib import Path
        from shlex import quote

        from catalog.ask.answer_text import miss_notes

        named = options["named"] and str(Path(options["named"]))
        search = map(quote, search_options(named, options.get("--trust", "") and str(Path(options["--trust"]))))
        notes += [note.text for note in miss_notes(reply, list(search))]
    told = [] if "--quiet" in options else [f"ldcat: note: {printable(note)}\n" for note in notes]
    return shown, "".join(told), reply.exit_code
