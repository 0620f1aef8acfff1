"""What a command module says about itself, for `--help` and man pages.

A module of catalog/cli/commands has HELP_GROUP, EXAMPLES and, if it has exit codes of its own, EXIT_CODES. In a module
with sub-commands the last two are dictionaries by sub-command, and by "" for the page that lists these.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Group(StrEnum):
    """Who uses a command, in the order of `ldcat --help`."""

    GUEST_OWNERS = "Guest owners"
    KEY_BROKERS = "Key brokers"
    PLATFORM_OWNERS = "Platform owners"
    AUDITORS = "Auditors"
    EVERYBODY = "Everybody"


class Example(NamedTuple):
    """A command line to copy. tests/cli/test_help_examples.py runs it in a folder that has the files it names."""

    line: str
    """What a shell gets, such as `ldcat lookup report.bin`."""
    what: str
    """What it does: a few words, without a full stop."""
    code: int = 0
    """Its exit code in the test."""
    runs: bool = True
    """False if it needs a network or ends only on a signal: the test then only parses it."""


RELEASE_CODES = {
    4: "verification failed",
    6: "untrusted signer",
    8: "stale",
    9: "older than a checkpoint seen before",
    11: "signed record that contradicts its own log",
}
"""Exit codes of a command that verifies a published release."""
