"""Whom to trust: the trust note that a published release is verified against, or none if verification is skipped."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import NotThere, UsageError
from catalog.fast.beneath import MAX_READ
from catalog.files.inputs import read_file

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.transparency.trust import Trust


def no_trust_note(error: NotThere) -> NotThere:
    """The error for a trust note that is not there. error: of its file."""
    return NotThere(f"no trust note at {error}", "name its file; the publisher of the log gives it away")


@dataclass(frozen=True, slots=True)
class TrustChoice:
    """Which trust note is used.

    named: the file that the user names for this catalog.
    configured: the file that LDCAT_TRUST names, a setting of this machine that says nothing about this catalog.
    skip: use a published release without verifying it.
    """

    named: Path | None = None
    configured: Path | None = None
    skip: bool = False

    @classmethod
    def of_environment(cls, named: Path | None = None, *, skip: bool = False) -> TrustChoice:
        """A choice whose `configured` is the file in LDCAT_TRUST. named, skip: see the class."""
        configured = os.environ.get("LDCAT_TRUST")
        return cls(named, Path(configured) if configured else None, skip)

    def file_for(self, location: object) -> Path:
        """The file of the trust note. location: for the message. Raises UsageError if no file is named."""
        if file := self.named or self.configured:
            return file
        raise UsageError(
            f"{location} is published in a log, and no trust note is given",
            "--trust FILE, the trust note of its publisher; or --insecure-skip-verify",
        )

    def bytes_for(self, location: object) -> bytes:
        """The bytes of the trust note, unverified. Raises as `file_for`, Unreadable, MalformedInput."""
        file = self.file_for(location)
        try:
            return read_file(file, limit=MAX_READ, regular=True)
        except NotThere as error:
            raise no_trust_note(error) from error

    def trust_for(self, location: object) -> Trust:
        """The trust note. Raises as `bytes_for` and `read_trust`."""
        from catalog.transparency.trust import read_trust  # cryptography takes long to load

        return read_trust(self.bytes_for(location))
