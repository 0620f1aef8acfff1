"""Every deliberate error of the project, with the exit code and the hint each one carries.

    LdcatError                 70  never raised itself
    ├── NotExported             1  launch digests that may not be exported, or a selection without any
    │   └── UnknownDigest       1  launch digests that the catalog does not have
    ├── UsageError              2  an impossible request: a number out of range, a missing axis
    │   ├── UnknownName         2  no build, profile, vCPU type or technology has that name
    │   └── CannotLaunch        2  the configuration cannot launch, so it has no launch digest
    ├── MalformedInput          3  bytes or text that are not what they claim to be
    │   ├── MalformedFirmware   3  an image whose structure is broken, or that is not an OVMF image
    │   └── MalformedRecord     3  a TOML or JSON record that is not exactly what its format says
    ├── VerificationFailed      4  bytes that differ from the hash recorded for them
    │   ├── UntrustedSigner     6  a note that no trusted key signed, or that lacks the quorum
    │   ├── Stale               8  a checkpoint whose newest cosignature is older than max-age
    │   ├── OlderThanSeen       9  a checkpoint that is older than one that was seen before
    │   ├── FalseRecord        11  a signed record or list that does not follow from the leaves of its log
    │   └── WitnessRefused     12  witnesses saw more of a log than it has, or another history
    ├── Unreadable              5  a file or folder that cannot be read or written
    │   ├── NotThere            5  a file that does not exist
    │   └── DiskFull            5  no space for a file: the disk, a quota, the largest size of a file
    └── OutOfMemory            13  not enough memory

Exit code 0 is yes (found, equal), 1 is no (not found, a batch line in error), 7 is yes and revoked, 10 is endorsed or
inferred alone, 70 is an internal error: any other exception that reaches the top is a defect.
"""

from __future__ import annotations

import errno
import mmap
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import ClassVar


class LdcatError(Exception):
    """A deliberate error: `str(error)` is one line without a full stop, `hint` says what to do next."""

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(LdcatError):
    """An impossible request, such as a number out of range or a missing axis."""

    exit_code = 2


_LISTS = {
    "build or firmware file": "builds",
    "kernel hashes table": "kernels",
    "VMM profile": "vmms",
    "vCPU type": "vcpu-types",
    "fleet": "fleets",
    "export format": "export-formats",
}
"""What `ldcat list` takes, by the kind of an unknown name."""
_LONGEST_HINT = 140
"""Characters of a list of names in a hint."""


class UnknownName(UsageError):
    """An unknown name; the hint lists the nearest known names, or as many as fit, and how to list all."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        import difflib

        names = sorted(known)
        near = difflib.get_close_matches(name.casefold(), {one.casefold() for one in names}, n=4, cutoff=0.4)
        near = [one for close in near for one in names if one.casefold() == close]
        text, shown = _as_fit(near or names)
        hint = f"{'nearest' if near else 'known'}: {text}" if names else f"no {kind} is known here"
        if kind in _LISTS and shown < len(names):
            hint += f"; all: ldcat list {_LISTS[kind]}"
        super().__init__(f"unknown {kind} {name!r}", hint)


def _as_fit(names: Sequence[str]) -> tuple[str, int]:
    """Names with commas between them and how many more there are, and the number of names in it."""
    shown = ", ".join(names)
    count = len(names)
    while len(shown) > _LONGEST_HINT and count > 1:
        count -= 1
        shown = f"{', '.join(names[:count])} and {len(names) - count} more"
    return shown, count


class CannotLaunch(UsageError):
    """A configuration that cannot launch: to print a digest of it would be misleading."""


class NotExported(LdcatError):
    """Launch digests that may not be exported from a catalog, or a selection of which it has none."""

    exit_code = 1


class UnknownDigest(NotExported):
    """Launch digests to export that a catalog does not have."""


class MalformedInput(LdcatError):
    """Bytes or text that are not what they claim to be."""

    exit_code = 3


class MalformedFirmware(MalformedInput):
    """An image whose structure is broken, or that is not an OVMF image."""


class MalformedRecord(MalformedInput):
    """A TOML or JSON record that is not exactly what its format says; the message names the place."""


class VerificationFailed(LdcatError):
    """Bytes that differ from the hash recorded for them."""

    exit_code = 4


class UntrustedSigner(VerificationFailed):
    """A note that no trusted key signed, or that lacks the quorum: it may be right, but no trusted signer says so."""

    exit_code = 6


class Stale(VerificationFailed):
    """A checkpoint whose newest cosignature is older than max-age: it was right, but a newer one may be withheld."""

    exit_code = 8


class OlderThanSeen(VerificationFailed):
    """A checkpoint that is older than one that was seen before: a restored copy, or an attack."""

    exit_code = 9


class FalseRecord(VerificationFailed):
    """A signed release record, or list of revocations, that does not follow from the leaves of its log.

    Neither damage nor a stranger can cause this: it was made by somebody with the key of the log.
    """

    exit_code = 11


class WitnessRefused(VerificationFailed):
    """Witnesses saw more of a log than it has, or another history: it was rolled back or forked."""

    exit_code = 12


class Unreadable(LdcatError):
    """A file or folder that cannot be read or written."""

    exit_code = 5


class NotThere(Unreadable):
    """A file that does not exist: in its folder, or at a host (status 404 or 410)."""


class DiskFull(Unreadable):
    """No space for a file: the disk is full, a quota is used up, or the file would exceed the largest file size."""


class OutOfMemory(LdcatError):
    """Not enough memory."""

    exit_code = 13


_FULL = {
    errno.ENOSPC: "no space is left",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "the file would exceed the largest file size",
}
_FULL_IN_WORDS = {
    **{os.strerror(number).lower(): text for number, text in _FULL.items()},
    "disk is full": _FULL[errno.ENOSPC],  # SQLite
    "failed to offload": _FULL[errno.ENOSPC],  # DuckDB, if memory is full and there is no disk space to swap to
}
_OUT = ("OutOfMemoryException",)
"""Names of exceptions of DuckDB: it is not imported for this."""

_OF_DATABASES = ("IOException", "TransactionException", "FatalException", "OperationalError", *_OUT)
_OUT_IN_WORDS = ("can't start new thread", "failed to map segment", "cannot allocate memory")
"""Messages of Python when it cannot start a thread or load a library."""


def shortage(error: BaseException, what: str) -> DiskFull | OutOfMemory | None:
    """DiskFull or OutOfMemory if that is what an exception of a library means; None for any other.

    what: what needed the space or memory, such as a file.
    """
    number, message = (error.errno or 0) if isinstance(error, OSError) else 0, str(error).lower()
    full = _FULL.get(number)
    if type(error).__name__ in _OF_DATABASES:
        full = next((text for words, text in _FULL_IN_WORDS.items() if words in message), None)
    if full:
        return DiskFull(f"{what}: {full}", "free some space, or get a larger quota; nothing half-written is used")
    is_out = isinstance(error, MemoryError) or number == errno.ENOMEM or type(error).__name__ in _OUT
    is_out |= isinstance(error, SystemError) and _is_exhausted()
    if is_out or (isinstance(error, RuntimeError | ImportError) and any(words in message for words in _OUT_IN_WORDS)):
        return OutOfMemory(f"{what}: out of memory", "give this process more memory, or request less at once")
    return None


def _is_exhausted() -> bool:
    """Whether no 16 MiB can be had. Near that limit CPython sometimes raises SystemError instead of MemoryError."""
    try:
        mmap.mmap(-1, 1 << 24).close()
    except OSError:
        return True
    return False
