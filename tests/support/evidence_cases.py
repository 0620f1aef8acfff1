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
from catalog.ask.evidence_notes import report_notes, sev_policy_notes
from catalog.errors import LdcatError
from catalog.evidence.evidence import LaunchMeasureData
from catalog.evidence.sniff import sniff

FILE = Path(__file__).parent.parent / "evidence_cases.json"
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
    """What the command line reads: the fields of a case from form on."""
    try:
        found = sniff(data)
        technologies = found.technologies()
    except LdcatError:
        return dict(REFUSED)
    notes: list[str] = []
    known = {}
    if found.report:
        notes = report_notes(found.report)
        known = {note.text: note.code for note in found.report.unknown}
    elif isinstance(found.value, LaunchMeasureData) and found.value.policy is not None:
        notes = sev_policy_notes(SevPolicy.parse(found.value.policy))
    return {
        "form": found.form,
        "digest": None if found.measure_data else found.digest.hex(),
        "technologies": technologies,
        "claimed_by": None,
        "notes": [known.get(note) or _code(note) for note in notes],
        "error": None,
    }


_CODES = {
    "allows debugging": "debug-allowed",
    "allows a migration agent": "migration-agent-allowed",
    "allows other guests": "key-sharing-allowed",
    "allows the guest to be sent": "sending-allowed",
    "requested by the host": "requested-by-host",
    "is of VMPL": "vmpl-above-0",
    "signed by a VLEK": "signed-by-vlek",
    "policy bit": "policy-bit-unknown",
}


def _code(text: str) -> str:
    return next(code for part, code in _CODES.items() if part in text)


def main() -> None:
    """Record what the command line reads of every case."""
    found = [{**{name: case[name] for name in ("id", "what", "input")}, **read(input_of(case))} for case in cases()]
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
