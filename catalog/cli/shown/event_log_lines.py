"""The answer of `ldcat explain` about the event log of a TD, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.ask.answer import Answer
from catalog.ask.answer_text import danger_lines
from catalog.ask.verification import VerificationInputs
from catalog.cli.answer_lines import evidence_lines, told_lines
from catalog.cli.shown.tdx_lines import EVENTS
from catalog.errors import UsageError
from catalog.evidence.event_log_forms import MAX_FILE_SIZE, read_event_log
from catalog.evidence.evidence import Evidence
from catalog.explain.log_explanation import explain_log
from catalog.explain.log_inputs import LogInputs, quoted_rtmrs
from catalog.fast.match_text import fact_lines
from catalog.fast.note_text import note_line
from catalog.files.inputs import read_file
from catalog.notes import Note
from catalog.terminal import render
from catalog.terminal.render import Format

Given = tuple[Evidence, Answer, VerificationInputs]
"""Evidence of the TD whose log it is, and what is known of it."""

_MRTD_SIZE = 48

_MOST_FIRMWARE = 3
"""Images that are shown if none has all its events in the log."""

_LISTED = 4


def print_log(path: Path | None, inputs: LogInputs, given: Given | None, output: Format) -> int:
    """Explain the log in a file and print the answer; returns 0 if it is explained, else 1.

    Raises MalformedInput for what is no log, UsageError without one and for evidence of another technology, and
    VerificationFailed if the evidence is refused.
    """
    if path is None:
        raise UsageError("there is nothing to explain", "give a launch digest, a report, or --event-log")
    log = read_event_log(read_file(path, limit=MAX_FILE_SIZE, regular=True))
    evidence = given[0] if given else None
    rtmrs = quoted_rtmrs(evidence) if evidence else None
    verified = bool(given and given[1].verified)
    explanation = explain_log(log, inputs, mrtd=_mrtd(evidence), rtmrs=rtmrs, verified=verified)
    record = explanation.to_dict()
    if output is Format.JSON:
        render.json_document({**(about_evidence(given[1]) if given else {}), "event_log": record})
    else:
        render.answer(_answer_lines(record, given))
    if given:
        given[1].check_demands()
    return 0 if explanation.is_explained else 1


def about_evidence(reply: Answer) -> dict[str, Any]:
    """The JSON about the evidence: that of `ldcat lookup` without what is said about rows."""
    about = reply.to_dict()
    del about["found"], about["claims"], about["matches"], about["inferred"]
    return about


def _mrtd(evidence: Evidence | None) -> bytes | None:
    """The MRTD that evidence states; raises UsageError for evidence that has none."""
    if evidence is None:
        return None
    if evidence.technology not in (None, "tdx") or evidence.measure_data or len(evidence.digest.value) != _MRTD_SIZE:
        raise UsageError(f"--event-log is of a TD, and this is none: {evidence.form}", "give its quote or its MRTD")
    return evidence.digest.value


def _answer_lines(record: dict[str, Any], given: Given | None) -> Iterator[str]:
    if given:
        _, reply, proofs = given
        yield from danger_lines(reply, proofs.now)
        yield from evidence_lines(reply)
        yield from told_lines(reply, proofs.now, None)
    yield from event_log_lines(record)


def event_log_lines(answer: dict[str, Any]) -> Iterator[str]:
    """The lines for the member `event_log`."""
    notes = [Note(one["code"], one["text"]) for one in answer["notes"]]
    yield from (note_line(note, "") for note in notes if note.severity == "danger")
    yield "explained: every event that was compared is known" if answer["explained"] else "not explained"
    yield from fact_lines([(one["name"], _register(one)) for one in answer["registers"]], title="registers of the log")
    yield from _firmware_lines(answer["firmware"])
    yield from (f"not compared: {text}" for text in answer["left_out"])
    yield from (f"not measured: no {what} that was given is in the log" for what in answer["missing"])
    yield "events of the log"
    for one in answer["events"]:
        what = f": {one['what']}" if one["what"] else ""
        yield f"  {one['number']:>3}  {one['register']}  {one['verdict']:<12}  {one['type']}{what}"
        if one["matches"]:
            yield f"       = {_listed(one['matches'])}"
        elif one["verdict"] == "differs":
            yield f"       * nothing that was given or recorded has {one['digest']}"
    yield from (note_line(note, "") for note in notes if note.severity != "danger")


def _register(one: dict[str, Any]) -> str:
    words = {None: "", True: ", as quoted", False: ", and another one is quoted"}
    return f"{one['replayed']}{words[one['matches']]}"


def _firmware_lines(firmware: list[dict[str, Any]]) -> Iterator[str]:
    """The images whose events are all in the log; if there is none, those that come nearest, and why others do not."""
    found = [one for one in firmware if one["matches"]]
    for one in found:
        yield f"firmware: {one['name']}"
        yield f"  its MRTD is {'that of the evidence' if one['mrtd_matches'] else 'not compared'}"
        yield f"  of its events of RTMR0, {len(one['known'])} are in the log, and none is missing"
        if one["why_unknown"]:
            yield f"  not all of its events are known: {one['why_unknown']}"
    for one in () if found else firmware[:_MOST_FIRMWARE]:
        if not one["known"] and not one["differs"] and one["mrtd_matches"] is None:
            yield f"firmware: {one['name']} cannot be compared: {one['why_unknown']}"
            continue
        differs = [EVENTS[kind] for kind in one["differs"]]
        if one["mrtd_matches"] is False:
            differs.append("MRTD")
        yield f"firmware: not {one['name']}, which has another {', '.join(differs)}"


def _listed(names: list[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
