"""The light path of `ldcat verify-proof`: a proof bundle that is a match, without typer, msgspec or dataclasses.

Every other command line, bundle and verdict takes the full path (cli/main.py), which begins anew.
"""

from __future__ import annotations

import os
import sys
from time import time

from catalog.cli.light.usual_arguments import QUIET, usual_arguments
from catalog.cli.light.verdict_lines import verdict_lines
from catalog.errors import LdcatError
from catalog.fast.beneath import read_bounded
from catalog.fast.match_text import printable
from catalog.files.plain_json import NotPlain
from catalog.prove.plain_proof import plain_verdict
from catalog.prove.verdict import verdict_to_dict
from catalog.transparency.trust import read_trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.prove.verdict import Verdict

_OPTIONS = {"--trust": "trust", "--report": "report", "--format": "format", "-f": "format"}
"""What each option with a value is called here."""

_OTHERWISE = ("LDCAT_FORMAT", "LDCAT_QUIET", "LDCAT_TRUST")
"""Environment variables that need the full path."""


def light_proof(arguments: list[str]) -> tuple[str, str, int] | None:
    """What to print on stdout and stderr, and the exit code; None: take the full path."""
    given = _given(arguments)
    if given is None or any(os.environ.get(name) for name in _OTHERWISE):
        return None
    try:
        verdict = _verdict(given)
    except (NotPlain, LdcatError, OSError, ValueError):  # which the full path reports
        return None
    return None if verdict is None else (*_printed(verdict, given), 0)


def _verdict(given: dict[str, str]) -> Verdict | None:
    about, report = None, given.get("report")
    if report is not None:
        from catalog.cli.light.light_evidence import light_evidence

        about = light_evidence(report)
        if about is None:
            return None
    proof, note = read_bounded(given["proof"]), read_bounded(given["trust"])
    if proof is None or note is None:
        return None
    return plain_verdict(proof, read_trust(note), about, now=int(time()))


def _printed(verdict: Verdict, given: dict[str, str]) -> tuple[str, str]:
    record = verdict_to_dict(verdict)
    if given.get("format", "table") == "table":
        return "".join(f"{printable(line)}\n" for line in verdict_lines(record, verdict.notes)), ""
    from catalog.terminal.json_text import json_document

    lines = json_document(record).split("\n")
    shown = "".join(f"{printable(line) if sys.stdout.isatty() else line}\n" for line in lines)
    notes = () if "quiet" in given else verdict.notes
    return shown, "".join(f"ldcat: note: {printable(note.text)}\n" for note in notes)


def _given(arguments: list[str]) -> dict[str, str] | None:
    """The arguments, `proof` among them; None if something is missing."""
    found = usual_arguments(arguments, _OPTIONS, QUIET, "proof")
    is_known = found and {"proof", "trust"} <= found.keys() and found.get("format", "table") in ("table", "json")
    return found if is_known else None
