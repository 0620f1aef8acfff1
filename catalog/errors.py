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
    │   ├── OlderThanSeen       9  a checkpoint that is older than one that was seen before
    │   ├── FalseRecord        11  a signed record or list that does not follow from the leaves of its log
    │   └── WitnessRefused     12  witnesses saw more of a log than it has, or another one
    ├── Unreadable              5  a file or folder that cannot be read or written
    │   └── DiskFull            5  no room for a file: the disk, a quota, the largest size of a file
    └── OutOfMemory            13  no memory for what was asked

Exit code 0 is yes (found, equal), 1 is no (not found, a batch line in error), 7 is yes and revoked, 70 an internal
error.
Anything else that escapes is a defect.
"""

from __future__ import annotations

import difflib
import errno
import os
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


class FalseRecord(VerificationFailed):
    """A release record, or a list of revocations, that does not follow from the leaves of its log: it was signed so.

    No damage and no stranger does that: whoever has the key of the log made it.
    """

    exit_code = 11


class WitnessRefused(VerificationFailed):
    """Witnesses saw more of a log than it has, or another one: it was rolled back or forked."""

    exit_code = 12


class Unreadable(LdcatError):
    """A file or folder that cannot be read or written."""

    exit_code = 5


class DiskFull(Unreadable):
    """No room for a file: the disk is full, a quota is used up, or files may not be so large."""


class OutOfMemory(LdcatError):
    """No memory for what was asked."""

    exit_code = 13


_FULL = {
    errno.ENOSPC: "no room is left",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "files may not be so large here",
}
_FULL_IN_WORDS = {
    **{os.strerror(number).lower(): said for number, said in _FULL.items()},
    "disk is full": _FULL[errno.ENOSPC],  # SQLite
    "failed to offload": _FULL[errno.ENOSPC],  # DuckDB, for want of room for what is too much for memory
}
_OUT = ("OutOfMemoryException",)
"""Of DuckDB, which is not loaded to be asked."""

_OF_DATABASES = ("IOException", "TransactionException", "FatalException", "OperationalError", *_OUT)
_OUT_IN_WORDS = ("can't start new thread", "failed to map segment", "cannot allocate memory")
"""Of Python that starts a thread, or loads a library."""


def shortage(error: BaseException, what: str) -> DiskFull | OutOfMemory | None:
    """The error for a system that has no more room, or no more memory, however a library says so; None for another one.

    what: needs it, such as a file.
    """
    number, said = (error.errno or 0) if isinstance(error, OSError) else 0, str(error).lower()
    full = _FULL.get(number)
    if type(error).__name__ in _OF_DATABASES:
        full = next((meant for words, meant in _FULL_IN_WORDS.items() if words in said), None)
    if full:
        return DiskFull(f"{what}: {full}", "make room there, or get a larger quota; nothing half-written counts")
    is_out = isinstance(error, MemoryError) or number == errno.ENOMEM or type(error).__name__ in _OUT
    if is_out or (isinstance(error, RuntimeError | ImportError) and any(words in said for words in _OUT_IN_WORDS)):
        return OutOfMemory(f"{what}: memory is out", "give this process more memory, or ask for less at once")
    return None
