"""Ranges for the service: those in the folder of the log, or else made once and kept in the user's cache folder.

Cached ranges are used without verification, so nobody else may be able to write them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO

from catalog.errors import LdcatError, Unreadable, VerificationFailed
from catalog.fast import xdg
from catalog.fast.beneath import Files, open_file
from catalog.files import inputs
from catalog.files.writer import beside, made_folders
from catalog.log.log_folder import StateFolder
from catalog.log.log_reader import open_log
from catalog.store.catalog import Catalog
from catalog.store.ranges import INDEX, MAX_INDEX, MAX_READ, RangeIndex, make_ranges
from catalog.work.progress import Progress, StartProgress

Read = Callable[[str], bytes]
"""Reads a file of the ranges by its name; raises Unreadable if there is none."""


_KEPT = 4
"""Catalogs whose ranges are kept in the cache."""


@dataclass(frozen=True)
class ServedRanges:
    """The ranges of a catalog.

    index: says which files there are.
    read: reads one of them.
    close: to be called after use.
    """

    index: RangeIndex
    read: Read
    close: Callable[[], None]


def ranges_for(catalog: Catalog, start_progress: StartProgress | None) -> ServedRanges:
    """The ranges of a catalog; they are made if there are none.

    start_progress: of a progress bar; None makes the ranges in another process, so requests are answered meanwhile.
    Raises UsageError for a catalog that keeps distinguished digests only, VerificationFailed, Unreadable.
    """
    release = catalog.release
    if release:
        log, folder = open_log(release), f"range/{release.number}"
        with suppress(LdcatError):
            index = RangeIndex.parse(log.read(f"{folder}/{INDEX}", MAX_INDEX))
            if index.manifest_sha256 == catalog.manifest_sha256:
                return ServedRanges(index, lambda name: log.read(f"{folder}/{name}", MAX_READ), lambda: None)
    made = _made(catalog, start_progress)
    try:
        held = _held(made, fcntl.LOCK_SH)  # so that no other service removes them while they are in use
    except OSError as error:
        raise inputs.unreadable(made, error) from error
    kept = StateFolder(made)
    index = RangeIndex.parse(kept.read(INDEX, MAX_INDEX))
    return ServedRanges(index, lambda name: kept.read(name, MAX_READ), held.close)


def _made(catalog: Catalog, start_progress: StartProgress | None) -> Path:
    if (home := xdg.cache_home()) is None:
        raise Unreadable("there is no home folder", "set XDG_CACHE_HOME; the ranges of the catalog are kept there")
    made = Path(home) / "ranges" / catalog.manifest_sha256
    if not inputs.exists(made / INDEX):
        if start_progress is None:
            for name in catalog.manifest.files:
                catalog.need(name)
            from catalog.work.engine import Processes

            with Processes(1, mp_context=get_context("spawn")) as pool:
                pool.submit(_make_elsewhere, catalog.files, catalog.manifest_sha256, made).result()
        else:
            _make(catalog, made, start_progress("listed", catalog.manifest.rows))
    with suppress(OSError):
        os.utime(made)
        _remove_others(made.parent)
    return made


def _remove_others(folder: Path) -> None:
    """Remove the ranges of other catalogs, except the newest ones and those that another service uses."""
    known = [path for path in folder.iterdir() if not path.name.startswith(".")]
    for old in sorted(known, key=lambda path: path.stat().st_mtime)[:-_KEPT]:
        with suppress(OSError), _held(old, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(old, ignore_errors=True)


def _held(made: Path, how: int) -> BinaryIO:
    """The index file, locked until it is closed; raises OSError if another lock forbids it."""
    index = os.fdopen(open_file(made, INDEX, private=True), "rb")
    try:
        fcntl.flock(index, how)
    except OSError:
        index.close()
        raise
    return index


def _make_elsewhere(files: Files, manifest_sha256: str, made: Path) -> None:
    catalog = Catalog.open(files)
    if catalog.manifest_sha256 != manifest_sha256:
        raise VerificationFailed(f"{files.path} was replaced by another catalog")
    _make(catalog, made, lambda _: None)


def _make(catalog: Catalog, made: Path, progress: Progress) -> None:
    """Make the ranges, whole or not at all. If two processes make them, the second uses those of the first."""
    try:
        made_folders(made.parent, private=True)
        with beside(made) as partial:
            StateFolder(partial / "new").write(make_ranges(catalog, progress))
            with suppress(OSError):
                (partial / "new").rename(made)
            if not inputs.exists(made / INDEX):
                raise Unreadable(f"{made} is in the way", "remove it")
    except OSError as error:
        raise inputs.unreadable(made, error) from error
