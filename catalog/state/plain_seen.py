"""What this machine saw last of each log, as seen_logs.py reads it, without what is needed to write it."""

from __future__ import annotations

import os

from catalog.errors import MalformedInput
from catalog.fast.beneath import open_file
from catalog.fast.xdg import quoted, state_home
from catalog.files.plain_json import NotPlain
from catalog.log.kept_chain import MAX_KEPT_CHAIN, KeptChain
from catalog.log.seen import Kept
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import MAX_NOTE, Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def plain_seen(origins: Iterable[str]) -> dict[str, Kept]:
    """What is kept of each log, by origin, of which something is.

    Raises NotPlain for what is damaged or incomplete, or cannot be read: then SeenLog says what is wrong.
    """
    home = state_home()
    if home is None:
        raise NotPlain
    try:
        found = {origin: _kept(home, f"seen/{quoted(origin)}") for origin in origins}
    except (OSError, ValueError, MalformedInput) as error:
        raise NotPlain from error
    return {origin: kept for origin, kept in found.items() if kept}


def _kept(home: str, name: str) -> Kept | None:
    """As SeenLog.read. Raises OSError, NotPlain, MalformedInput."""
    beside = _read(home, f"{name}.revocations", MAX_KEPT_CHAIN)  # written after the note, so never newer than it
    data = _read(home, f"{name}.note", MAX_NOTE)
    if data is None:
        return None
    note, chain = Note.parse(data), None if beside is None else KeptChain.parse(beside)
    checkpoint = Checkpoint.parse(note.text)
    if chain is None:
        raise NotPlain
    return Kept(note, chain.chain, chain.from_leaves and chain.size in (None, checkpoint.size), chain.commits)


def _read(home: str, name: str, at_most: int) -> bytes | None:
    try:
        descriptor = open_file(home, name, private=True)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(at_most + 1)
    if len(data) > at_most:
        raise NotPlain
    return data
