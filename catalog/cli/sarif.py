"""SARIF 2.1.0: findings as the systems that build and review software show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from catalog.fast.match_text import printable
from catalog.version import __version__

_LEVELS = {"error": "error", "warning": "warning", "note": "note"}


def sarif(findings: Sequence[Mapping[str, str]], rules: Mapping[str, str], where: str) -> dict[str, Any]:
    """One run. findings: severity, rule, subject, claim, evidence. rules: claims by rule. where: the folder, or URL.

    Whoever shows it shows texts as they are, so that they are printable.
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
