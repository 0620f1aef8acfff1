"""The verdict of `ldcat verify-proof` as lines for people."""

from __future__ import annotations

from catalog.diff.flat import flat
from catalog.fast.match_text import fact_lines
from catalog.fast.note_text import dangers, note_line
from catalog.terminal.moments import moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from catalog.notes import Note


def verdict_lines(record: Mapping[str, Any], notes: Sequence[Note]) -> Iterator[str]:
    """The verdict: what is a danger, its facts, other notes. record: as `verdict_to_dict` makes it."""
    facts = [("why", record["why"])]
    for name, value in flat(record["row"] or {}).items():
        if value is not None and name != "type":
            facts.append((name, _shown(name, value)))
    if record["checkpoint"]:
        facts += [("log", record["checkpoint"]["origin"]), ("leaves", record["checkpoint"]["size"])]
        facts += [("signed by", f"{signer['name']} ({signer['algorithm']})") for signer in record["signers"]]
    if until := record["fresh_until"]:
        facts.append(("fresh until", moment(until)))
    yield from map(note_line, dangers(notes))
    yield from fact_lines(facts, title=record["outcome"])
    yield from (note_line(note, "  ") for note in notes if note not in dangers(notes))


def _shown(name: str, value: Any) -> Any:
    if name in ("document_time", "certificate_until"):
        from catalog.imports.dates import day

        return day(value)
    return value
