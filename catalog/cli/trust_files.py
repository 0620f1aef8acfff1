"""Trust notes that a command line, a variable or ldcat.toml names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.ask.evidence_files import read_bounded
from catalog.errors import NotThere
from catalog.verify.trust_choice import no_trust_note

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.transparency.note import Note
    from catalog.transparency.trust import Trust


def trust_in(file: str | Path) -> Trust:
    """The trust note in a file, or on stdin if the file is "-". Raises as `read_trust` and `read_bounded`."""
    from catalog.transparency.trust import read_trust

    return read_trust(note_bytes(file))


def unsigned_trust_in(file: str | Path) -> Note:
    """As `trust_in`, but whoever signed it. Raises as `read_unsigned` and `read_bounded`."""
    from catalog.transparency.trust import read_unsigned

    return read_unsigned(note_bytes(file))


def note_bytes(file: str | Path) -> bytes:
    """What is in the file of a trust note. Raises as `read_bounded`."""
    from catalog.transparency.note import MAX_NOTE

    try:
        return read_bounded(str(file), sys.stdin.buffer, MAX_NOTE)
    except NotThere as error:
        raise no_trust_note(error) from error
