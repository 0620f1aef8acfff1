"""The answer of `ldcat explain` as an HTML page."""

from __future__ import annotations

from pathlib import Path

from catalog.ask.answer import Answer
from catalog.ask.answer_text import danger_lines
from catalog.cli.answer_lines import evidence_lines, told_lines
from catalog.cli.shown.explanation_lines import EXPLAINED, Hits, hit_facts, searched_lines
from catalog.explain.explanation import Explanation


def write_page(html: Path, reply: Answer, now: float, explanation: Explanation, hits: Hits, go_on: str | None) -> None:
    """Write the page. go_on: the command line that searches longer, if anything is left."""
    from catalog.pages.explanation_page import write_explanation

    write_explanation(
        html,
        explanation.compared_with,
        evidence=[
            *danger_lines(reply, now),
            *evidence_lines(reply),
            *told_lines(reply, now, EXPLAINED if hits else None),
        ],
        shown=[({**hit, "facts": hit_facts(hit)}, parted) for hit, parted in hits],
        searched=list(searched_lines(explanation, go_on, whole=True)),
    )
