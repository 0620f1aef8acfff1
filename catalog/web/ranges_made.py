"""Ranges for a service: those that lie beside the log, or made once and kept in the cache of this user.

They are believed as they are, so that nobody else may write them.
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
from catalog.work.engine import Processes
from catalog.work.progress import Progress, StartProgress

Read = Callable[[str], bytes]
"""A file of the ranges by its name; raises Unreadable for one that is not there."""


_KEPT = 4
"""Catalogs whose ranges are kept."""


@dataclass(frozen=True)
class ServedRanges:
    """read: gives the files that `index` tells of. close: to be called after use."""

    index: RangeIndex
    read: Read
    close: Callable[[], None]


def ranges_for(catalog: Catalog, start_progress: StartProgress | None) -> ServedRanges:
    """start_progress: shows how rows are listed here; None lists them in another process, for others are answered.

    Raises UsageError for a catalog that keeps distinguished digests only, and what reading and writing do.
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
        held = _held(made, fcntl.LOCK_SH)  # nobody removes them as long as they may be read
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
            with Processes(1, mp_context=get_context("spawn")) as pool:
                pool.submit(_make_elsewhere, catalog.files, catalog.manifest_sha256, made).result()
        else:
            _make(catalog, made, start_progress("listed", catalog.manifest.rows))
    with suppress(OSError):
        os.utime(made)
        _remove_others(made.parent)
    return made


def _remove_others(folder: Path) -> None:
    """All but the newest ones, and those that another service reads."""
    known = [path for path in folder.iterdir() if not path.name.startswith(".")]
    for old in sorted(known, key=lambda path: path.stat().st_mtime)[:-_KEPT]:
        with suppress(OSError), _held(old, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(old, ignore_errors=True)


def _held(made: Path, how: int) -> BinaryIO:
    """Locked until it is closed; raises OSError where others forbid it."""
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
        raise VerificationFailed(f"{files.path} is another catalog now")
    _make(catalog, made, lambda _: None)


def _make(catalog: Catalog, made: Path, progress: Progress) -> None:
    """Whole or not at all: whoever comes second finds what the first one made."""
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
