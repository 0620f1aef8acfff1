"""Selects what a spec names: records by name or glob, files by glob."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from catalog.errors import UnknownName, Unreadable
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.kernel_record import KernelRecord
from catalog.launch.profile import VmmProfile
from catalog.spec.constraints import matches

Record = TypeVar("Record", FirmwareBuild, KernelRecord, VmmProfile)


def selected(kind: str, patterns: Sequence[str], known: Mapping[str, Record]) -> list[Record]:
    """Records that match any pattern; raises UnknownName for a pattern that matches none."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise UnknownName(kind, pattern, known)
    return [record for name, record in sorted(known.items()) if matches(patterns, name)]


def matching_files(pattern: str, folder: Path, what: str) -> list[str]:
    """The files of a glob, relative to a folder; or of PACKAGE:PATH, if no file has such a name, PACKAGE being a glob.

    Raises Unreadable if there is none. what: the kind of file, for the message.
    """
    paths = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207 - may be absolute
    package, colon, path = pattern.partition(":")
    if not paths and colon:
        packages = glob.glob(package, root_dir=folder, recursive=True)  # noqa: PTH207
        paths = [f"{found}:{path}" for found in packages]
    if not paths:
        raise Unreadable(f"no {what} matches {pattern!r} in {folder.resolve()}")
    return paths
