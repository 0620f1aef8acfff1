"""Old names of options (docs/adr/0051-one-name-for-each-option.md): accepted for one more version, shown nowhere."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from catalog.terminal import render

POSITION = ""
"""In place of a new name: the value is an argument now."""

OLD_NAMES: Mapping[str, Mapping[str, str]] = {
    "build": {"--out": "--output"},
    "doctor": {"--log": POSITION},
    "keygen": {"--out": "--output"},
    "prove": {"--log": "--catalog"},
    "rebuild": {"--log": POSITION},
    "site": {"--out": "--output"},
}
"""By command: new names of options, by old name. Each option has a value."""


def with_new_names(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """A command line with every old name replaced, and a note for each of them."""
    command, given = "".join(arguments[:1]), list(arguments[1:])
    found = list(_renamed(given, OLD_NAMES.get(command, {})))
    new = [word for words, _, _ in found for word in words]
    moved = [value for _, value, _ in found if value is not None]
    notes = [note for _, _, note in found if note]
    if moved:
        new += moved if "--" in new else ["--", *moved]
    return [*arguments[:1], *new], notes


def _renamed(given: Sequence[str], names: Mapping[str, str]) -> Iterator[tuple[list[str], str | None, str | None]]:
    """Each word or option: what stands in its place, the value that is an argument now, and a note."""
    rest = iter(given)
    for word in rest:
        if word == "--":
            yield [word, *rest], None, None
            return
        old, equals, value = word.partition("=")
        new = names.get(old)
        if new is None:
            yield [word], None, None
        elif new == POSITION:
            yield [], value if equals else next(rest, None), f"{old} is an argument now: leave out the word {old}"
        else:
            yield [f"{new}={value}" if equals else new], None, f"{old} is now {new}"


def say_old_names(notes: Sequence[str], arguments: Sequence[str]) -> None:
    """Print the notes on old names, unless the command line or the environment asks for quiet."""
    if notes and not ({"--quiet", "-q"} & set(arguments) or os.environ.get("LDCAT_QUIET")):
        for text in notes:
            render.note(text)
