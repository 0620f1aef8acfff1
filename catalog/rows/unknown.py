"""Technologies and records that this version of ldcat does not know, in files of a later version (docs/adr/0025)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from catalog.launch.technology import technologies
from catalog.notes import Note

NEWER = "use a newer version of ldcat, which knows it"
"""Hint of the errors about unknown technologies and records."""

_MOST_NAMES = 16
"""Most names that are counted separately: a hostile log could have a new one in every leaf."""

_OTHERS = "others"


def unknown_technology(name: str, rows: int, what: str) -> Note:
    """The note on an unknown technology. what: what does not happen to its rows, such as "not compared"."""
    text = f"this version of ldcat does not know technology {name!r}: its {rows:,} rows are {what}"
    return Note("technology-unknown", text)


@dataclass(slots=True)
class UnknownLeaves:
    """Leaves of a log that this version does not know.

    types: number of records by unknown type.
    technologies: number of rows by unknown technology.
    """

    types: Counter[str] = field(default_factory=Counter)
    technologies: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self.types or self.technologies)

    def add_record(self, kind: str) -> None:
        """Count a record of an unknown type."""
        _count(self.types, kind)

    def add_row(self, technology: str) -> None:
        """Count a row, or an endorsed digest, if its technology is unknown."""
        if technology not in technologies():
            _count(self.technologies, technology)

    def record_notes(self) -> list[Note]:
        """A note for each unknown type of record."""
        return [
            Note(
                "record-type-unknown",
                f"this version of ldcat does not know records of type {kind!r} and ignores them "
                f"(in the log: {count:,}), also those about rows that it knows",
            )
            for kind, count in sorted(self.types.items())
        ]

    def notes(self, what: str) -> list[Note]:
        """A note for each unknown type and technology. what: as for `unknown_technology`."""
        rows = (unknown_technology(name, count, what) for name, count in sorted(self.technologies.items()))
        return [*self.record_notes(), *rows]


def _count(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < _MOST_NAMES else _OTHERS] += 1
