"""The output that a page shows for a command, compared with the actual output."""

from __future__ import annotations

import re


def pattern(lines: list[str]) -> str:
    """Lines as a regular expression: `...` at the end of a line is any rest, on its own line it is any lines."""
    parts = []
    for line in lines:
        if line == "...":
            parts.append(r"(?:.*\n)*")
        elif line.endswith("..."):
            parts.append(re.escape(line[:-3]) + r".*\n")
        else:
            parts.append(re.escape(line) + r"\n")
    return "".join(parts)
