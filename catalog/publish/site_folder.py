"""A site: a log, the ranges of one of its releases, and pages, in a folder that any static host can serve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from catalog.errors import UsageError
from catalog.fast.beneath import walk
from catalog.files import inputs
from catalog.log.file_pack import pack_path
from catalog.log.log_folder import CHECKPOINT, LOCK, LogFolder
from catalog.store.manifest import CatalogFiles
from catalog.store.ranges import INDEX, RangeIndex, make_ranges, ranges_path
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.note import Note
from catalog.transparency.tiles import MAX_BUNDLE, WIDTH, TileReader, tile_path, tile_width
from catalog.work.progress import Progress

Named = Callable[[str], bool]

Pack = Callable[[RangeIndex], bytes | None]
"""Makes the pack for the checkpoint, given the index of the ranges; None if the release is not the last one."""

Pages = Callable[[RangeIndex], Iterable[tuple[str, bytes]]]
"""Yields the pages as paths and bytes, given the index of the ranges."""


def write_site(
    catalog: CatalogFiles,
    log: Path,
    out: Path,
    *,
    checkpoint: bytes,
    named: Named,
    number: int,
    progress: Progress,
    pack: Pack,
    pages: Pages,
) -> None:
    """Write the files of the log, the ranges of one release, their pack, the checkpoint, and pages, in this order.

    Existing files of the same size are kept: files of a log never change.
    checkpoint: the one that was verified, as a signed note.
    named: whether a path belongs to the log at that checkpoint; other files in its folder are not copied.
    number: of the release.
    progress: called with numbers of rows.
    Raises UsageError if the site is inside the log or the log inside the site, and for a folder with other files;
    Unreadable, MalformedInput for a log that is not complete; and as make_ranges.
    """
    source, target = log.resolve(), out.resolve()
    if source == target or source in target.parents or target in source.parents:
        raise UsageError(f"one of {out} and {log} contains the other", "give the site a folder of its own")
    _check_is_site(target)
    folder = LogFolder(target)
    with folder.locked():
        folder.clear()
        folder.write(_missing(LogFolder(source), folder, named))
        size = Checkpoint.parse(Note.parse(checkpoint).text).size
        _check_whole(folder, size)
        index: list[bytes] = []
        folder.write(_ranges(catalog, number, progress, index))
        ranges = RangeIndex.parse(*index)
        if packed := pack(ranges):
            folder.write([(pack_path(size), packed)])
        folder.write([(CHECKPOINT, checkpoint)])
        folder.write(pages(ranges))


def _check_is_site(target: Path) -> None:
    """Raises UsageError for a folder with files that has neither the lock nor the checkpoint of a site; Unreadable."""
    try:
        names = {one.name for one in target.iterdir()} if target.is_dir() else set()
    except OSError as error:
        raise inputs.unreadable(target, error) from error
    if not names & {LOCK, CHECKPOINT} and any(not name.startswith(".") for name in names):
        raise UsageError(f"{target} has files that are no site", "give a new folder, or one that ldcat site made")


def _ranges(catalog: CatalogFiles, number: int, progress: Progress, index: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the ranges. index: receives the bytes of the index file."""
    for name, data in make_ranges(catalog, progress):
        if name == INDEX:
            index.append(data)
        yield f"{ranges_path(number)}/{name}", data


def _check_whole(log: LogFolder, size: int) -> None:
    """Raises Unreadable, MalformedInput if a tile or an entry bundle of a tree with `size` leaves is missing."""
    reader, level, hashes = TileReader(log, size), 0, size
    for number in range(-(-size // WIDTH)):
        log.read(tile_path(None, number, tile_width(size, 0, number)), MAX_BUNDLE)
    while hashes:
        for number in range(-(-hashes // WIDTH)):
            reader.tile(level, number)
        level, hashes = level + 1, hashes // WIDTH


def _missing(source: LogFolder, target: LogFolder, named: Named) -> Iterator[tuple[str, bytes]]:
    """Yield the tiles, entry bundles and release files that the target lacks. Raises Unreadable."""
    try:
        for name, kind in walk(source.root):
            if kind == "file" and named(name) and (size := source.size(name)) != target.size(name):
                yield name, source.read(name, size or 0)
    except OSError as error:
        raise inputs.unreadable(source.root, error) from error
