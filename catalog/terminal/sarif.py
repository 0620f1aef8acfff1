"""Findings of `ldcat audit` as SARIF 2.1.0, which build and code review systems display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from catalog.fast.match_text import printable
from catalog.version import __version__

_LEVELS = {"error": "error", "warning": "warning", "note": "note"}


def sarif(findings: Sequence[Mapping[str, str]], rules: Mapping[str, str], where: str) -> dict[str, Any]:
    """A SARIF log with one run. Texts are made printable, because viewers show them as they are.

    findings: severity, rule, subject, claim and evidence of each.
    rules: the claim of each rule, by name.
    where: the folder or URL that was audited.
    """
    uri = quote(where.encode("utf-8", "surrogateescape"), safe="/:@%~")
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "ldcat audit",
                        "version": __version__,
                        "rules": [{"id": rule, "shortDescription": {"text": claim}} for rule, claim in rules.items()],
                    }
                },
                "results": [
                    {
                        "ruleId": found["rule"],
                        "level": _LEVELS[found["severity"]],
                        "message": {"text": _message(found)},
                        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}}}],
                    }
                    for found in findings
                ],
            }
        ],
    }


def _message(found: Mapping[str, str]) -> str:
    return printable(f"{found['subject']}: {found['evidence']}. Claimed: {found['claim']}.")
