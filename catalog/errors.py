"""Every deliberate error of the project, with the exit code and the hint each one carries.

    LdcatError                 70  never raised itself
    ├── UsageError              2  what was asked for cannot be: a number out of range, a missing axis
    │   ├── UnknownName         2  no build, profile, vCPU type or technology has that name
    │   └── CannotLaunch        2  the configuration cannot launch, so it has no launch digest
    ├── MalformedInput          3  bytes or text that are not what they claim to be
    │   ├── MalformedFirmware   3  an image whose structure is broken, or that is no OVMF image
    │   └── MalformedRecord     3  a TOML or JSON record that is not exactly what its format says
    ├── VerificationFailed      4  bytes that differ from the hash recorded for them
    │   ├── UntrustedSigner     6  a note that nobody signed who is trusted
    │   ├── Stale               8  a checkpoint that nobody vouches for any more
    │   └── OlderThanSeen       9  a checkpoint that is older than one that was seen before
    └── Unreadable              5  a file or folder that cannot be read or written

Exit code 0 is yes (found, equal), 1 is no (not found, a batch line in error), 7 is yes and revoked, 70 an internal
error.
Anything else that escapes is a defect.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class LdcatError(Exception):
    """A deliberate error: `str(error)` is one line without a stop, `hint` says what to do next."""

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(LdcatError):
    """What was asked for cannot be."""

    exit_code = 2


class UnknownName(UsageError):
    """No such name; the hint lists the nearest ones, or all when none is near."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=4, cutoff=0.4)
        listed = near or names[:12]
        verb = "nearest" if near else "known"
        hint = f"{verb}: {', '.join(listed)}" if listed else f"no {kind} is known here"
        super().__init__(f"unknown {kind} {name!r}", hint)


class CannotLaunch(UsageError):
    """The configuration cannot launch: printing a digest for it would mislead."""


class MalformedInput(LdcatError):
    """Bytes or text that are not what they claim to be."""

    exit_code = 3


class MalformedFirmware(MalformedInput):
    """An image whose structure is broken, or that is no OVMF image."""


class MalformedRecord(MalformedInput):
    """A TOML or JSON record that is not exactly what its format says; the message names the path."""


class VerificationFailed(LdcatError):
    """Bytes that differ from the hash recorded for them."""

    exit_code = 4


class UntrustedSigner(VerificationFailed):
    """A note that nobody signed who is trusted: it may be right, and nobody who counts says so."""

    exit_code = 6


class Stale(VerificationFailed):
    """A checkpoint that nobody vouches for any more: what it says was right, and newer may be withheld."""

    exit_code = 8


class OlderThanSeen(VerificationFailed):
    """A checkpoint that is older than one that was seen before: a copy that was restored, or an attack."""

    exit_code = 9


class Unreadable(LdcatError):
    """A file or folder that cannot be read or written."""

    exit_code = 5
