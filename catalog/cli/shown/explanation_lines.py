"""The answer of `ldcat explain` as lines of text: the explanations, and what was searched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from catalog.ask.answer import Answer
from catalog.ask.answer_text import danger_lines
from catalog.cli.answer_lines import evidence_lines, told_lines
from catalog.explain.baseline import EXPECTATION
from catalog.explain.divergence import Divergence
from catalog.explain.explanation import Explanation
from catalog.fast.match_text import NOT_KNOWN, fact_lines
from catalog.fast.note_text import dangers, first_lines, note_line, part_lines, shared_notes, titled
from catalog.notes import Note
from catalog.pages.pictures.divergence_picture import parting_lines
from catalog.rows.fields import BESIDE_COMPONENTS

Hits = Sequence[tuple[dict[str, Any], Divergence | None]]
"""Explanations as JSON, each with its divergence from the expected launch, or None."""

EXPLAINED = "explained below"
"""Where the configuration of a digest is, if it was found."""


def explanation_lines(
    reply: Answer, now: float, explanation: Explanation, hits: Hits, go_on: str | None
) -> Iterator[str]:
    """The whole answer. go_on: the command line that searches longer, if anything is left."""
    yield from danger_lines(reply, now)
    noted = [[Note(note["code"], note["text"]) for note in hit["notes"]] for hit, _ in hits]
    yield from first_lines(noted, "explanation", "explanations")
    said = dangers(shared_notes(noted))
    if not hits:
        yield "not explained: no configuration that was tried has this launch digest"
    yield from evidence_lines(reply)
    yield from told_lines(reply, now, EXPLAINED if hits else None)
    compared_with = explanation.compared_with
    for number, (hit, parted) in enumerate(hits, 1):
        own = noted[number - 1]
        title = titled(f"explanation {number}: {hit['technology']}", own)
        facts = list(fact_lines(hit_facts(hit), title=title))
        yield from part_lines(facts, [note for note in dangers(own) if note not in said])
        is_compared = not explanation.igvm or not explanation.igvm.hits or explanation.igvm.space.expected
        if not hit["differs"] and is_compared:
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
        yield from (note_line(note, "  ") for note in own if note not in dangers(own))
    yield from searched_lines(explanation, go_on)


def searched_lines(explanation: Explanation, go_on: str | None, *, whole: bool = False) -> Iterator[str]:
    """What was searched from each baseline, and how to search longer. whole: with every axis and its values."""
    if explanation.igvm:
        yield explanation.igvm.line()
    for search in explanation.searches:
        yield f"{search.searched.tried:,} candidates were tried, outward from the {search.source}"
        if not search.searched.hits:
            yield from (f"  {text}" for text in (search.summary() if whole else search.brief()))
    if not (whole or explanation.hits or explanation.hopeless):
        yield "for the axes and values that were tried: --format json"
    if explanation.hopeless and not explanation.hits:
        yield "nothing else was tried: no firmware that anybody can get gives this digest"
    if explanation.interrupted:
        yield "the search was interrupted: only what is listed as excluded is excluded"
    if not explanation.hits and not explanation.hopeless:
        yield "to try files of your own: --firmware, --kernel, --initrd, --append"
    if go_on:
        yield f"to search longer: {go_on}"


def hit_facts(hit: dict[str, Any]) -> list[tuple[str, object]]:
    """The configuration of an explanation: names and values."""
    shown: list[tuple[str, object]] = [("launch digest", hit["launch_digest"]), ("firmware", hit["firmware"])]
    shown.append(("firmware SHA-256", hit["firmware_sha256"] or NOT_KNOWN))
    shown.append(("kernel hashes", hit["kernel_hashes"]))
    blobs = (("kernel", "kernel"), ("initrd", "initrd"), ("command line", "cmdline"))
    shown += [(f"{name} SHA-256", hit[f"{key}_sha256"]) for name, key in blobs if hit[f"{key}_sha256"]]
    if hit["vmm"]:
        fields = (field for field in BESIDE_COMPONENTS if field.name != "sev_features" or hit[field.name])
        values = ((field, hit[field.name]) for field in fields)  # those of an IGVM file are measured, and not shown
        shown += [
            (field.label, "not measured" if value is None else value)
            for field, value in values
            if value is not None or not field.optional
        ]
    shown.append(("launchable", hit["launchable"]))
    return shown
