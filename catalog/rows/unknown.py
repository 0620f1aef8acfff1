"""What this version of ldcat does not know of a catalog or a log that a later version wrote (docs/adr/0025)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from catalog.launch.technology import technologies

NEWER = "use a newer version of ldcat, which knows it"
"""The hint of whoever refuses."""

_MOST_NAMES = 16
"""Names that are counted one by one: a hostile log could have a new one in every leaf."""

_OTHERS = "others"


def unknown_technology(name: str, rows: int, what: str) -> str:
    """The line about a technology. what: is not done with its rows."""
    return f"this version of ldcat does not know technology {name!r}: its {rows:,} rows are {what}"


@dataclass(slots=True)
class UnknownLeaves:
    """Leaves of a log that this version does not know: how many, by type of record, and by technology of a row."""

    types: Counter[str] = field(default_factory=Counter)
    technologies: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self.types or self.technologies)

    def add_record(self, kind: str) -> None:
        """Count a record of a type that is not known."""
        _count(self.types, kind)

    def add_row(self, technology: str) -> None:
        """Count a row, unless its technology is known."""
        if technology not in technologies():
            _count(self.technologies, technology)

    def record_lines(self) -> list[str]:
        """A line for each type of record."""
        return [
            f"this version of ldcat does not know records of type {kind!r}: what the {count:,} of them in the log say, "
            "also of rows that it knows, is not considered"
            for kind, count in sorted(self.types.items())
        ]

    def lines(self, what: str) -> list[str]:
        """A line for each type and technology. what: is not done with rows."""
        rows = (unknown_technology(name, count, what) for name, count in sorted(self.technologies.items()))
        return [*self.record_lines(), *rows]


def _count(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < _MOST_NAMES else _OTHERS] += 1
