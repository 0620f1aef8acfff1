"""tests/evidence_cases.json: inputs of every form, and what each reader of evidence must say of them.

A case: id; what: for people; input: base64; form, digest (hex, or null), technologies, claimed_by and notes (codes): as
read; error: true if the input is refused, else null. To add cases, append them with id, what and input, and then run
`python -m tests.support.evidence_cases`, which records what the command line reads: compare it with what must be read.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from catalog.abi.guest_policy import SevPolicy
from catalog.ask.evidence_notes import notes_on, sev_policy_notes
from catalog.errors import LdcatError
from catalog.evidence.evidence import Evidence, LaunchMeasureData
from catalog.evidence.sniff import sniff
from catalog.notes import Note

FILE = Path(__file__).parent.parent / "evidence_cases.json"
GIVEN = ("id", "what", "input")
REFUSED: dict[str, Any] = {
    "form": None,
    "digest": None,
    "technologies": [],
    "claimed_by": None,
    "notes": [],
    "error": True,
}


def cases() -> list[dict[str, Any]]:
    return list(json.loads(FILE.read_text(encoding="utf-8")))


def input_of(case: dict[str, Any]) -> bytes:
    return base64.b64decode(case["input"], validate=True)


def read(data: bytes) -> dict[str, Any]:
    """What the command line reads: the fields of a case from form on, but with code, severity and text of each note."""
    try:
        found = sniff(data)
        technologies = found.technologies()
    except LdcatError:
        return REFUSED
    return {
        "form": found.form,
        "digest": None if found.measure_data else found.digest.hex(),
        "technologies": technologies,
        "claimed_by": found.claimed_by,
        "notes": _notes(found),
        "error": None,
    }


def with_codes(found: dict[str, Any]) -> dict[str, Any]:
    """What a reader says, with the codes of the notes only, as in a case."""
    return {**found, "notes": [code for code, _, _ in found["notes"]]}


def stated(case: dict[str, Any]) -> dict[str, Any]:
    """The fields of a case from form on."""
    return {name: value for name, value in case.items() if name not in GIVEN}


def _notes(found: Evidence) -> list[list[str]]:
    """Code, severity and text of notes on evidence itself, as an answer begins with them."""
    notes: list[Note] = list(notes_on(found))
    if isinstance(found.value, LaunchMeasureData) and found.value.policy is not None:
        notes += sev_policy_notes(SevPolicy.parse(found.value.policy))
    return [[note.code, note.severity, note.text] for note in notes]


def main() -> None:
    """Record what the command line reads of every case."""
    found = [{**{name: case[name] for name in GIVEN}, **with_codes(read(input_of(case)))} for case in cases()]
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
