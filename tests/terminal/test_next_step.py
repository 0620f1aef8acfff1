"""The hint below an error: it names a command to run next, and its line is not too long."""

from __future__ import annotations

import pytest

from catalog.errors import (
    CannotLaunch,
    LdcatError,
    MalformedInput,
    MalformedRecord,
    NotThere,
    Stale,
    Unreadable,
    UsageError,
    VerificationFailed,
)
from catalog.terminal.next_step import next_step

HELP = "see ldcat lookup --help"


@pytest.mark.parametrize(
    ("failure", "hint"),
    [
        (UsageError("x"), HELP),
        (CannotLaunch("x"), "ldcat inspect shows what a firmware can launch under"),
        (UsageError("x", "--at TIME"), f"--at TIME; {HELP}"),
        (UsageError("x", "an ldcat.toml"), f"an ldcat.toml; {HELP}"),
        (UsageError("x", "ldcat publish makes it"), "ldcat publish makes it"),
        (UsageError("x", "pip install 'ldcat[serve]'"), "pip install 'ldcat[serve]'"),
        (MalformedInput("x", "openssl pkey -in PEM"), "openssl pkey -in PEM"),
        (MalformedInput("x"), f"give a file of the form that the command reads; {HELP}"),
        (MalformedRecord("x"), f"correct it there; {HELP}"),
        (NotThere("nowhere: no such file"), f"check the path and who may use it; {HELP}"),
        (Unreadable("https://example.com/log: status 500"), f"check the URL; {HELP}"),
        (VerificationFailed("x"), f"do not use it: get it again from whoever published it; {HELP}"),
        (Stale("x", "ask again later"), f"ask again later; {HELP}"),
    ],
)
def test_every_hint_names_a_command(failure: LdcatError, hint: str) -> None:
    assert next_step(failure, "ldcat lookup") == hint


@pytest.mark.short_lines
def test_a_long_hint_leaves_room_for_the_command() -> None:
    found = next_step(UsageError("x", "words " * 90), "ldcat witness serve")
    assert found.endswith("...; see ldcat witness serve --help")
    assert len(f"ldcat: hint: {found}") <= 200
    assert next_step(UsageError("x", "\x1b" * 900), "ldcat sql").endswith("; see ldcat sql --help")
