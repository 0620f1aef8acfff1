"""A release as an OCI artifact: its files, and the log up to its checkpoint, in tar archives that rarely change."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from catalog.errors import Unreadable, UsageError
from catalog.fast.beneath import open_file
from catalog.files import inputs
from catalog.log.log_folder import CHECKPOINT, REVOCATIONS, LogFolder, release_path
from catalog.publish.oci_layout import TITLE, Layer, check_folder, check_tags, write_artifact
from catalog.publish.publish import Published
from catalog.store import manifest
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import WIDTH, tile_path, tile_width

KIND = "application/vnd.ldcat.release.v1"
TAR = "application/x-tar"
VERSION = "org.opencontainers.image.version"
LATEST = "latest"

GROUP = WIDTH * WIDTH
"""Leaves of an archive that never changes: those below a full tile of level 1."""

MOST_GROUPS = 4096
_CHUNK = 1 << 20


def check_target(log: Path, out: Path) -> None:
    """Raises UsageError if one folder is in the other, if `out` has anything but an OCI layout in it, and if LATEST
    there is of an artifact of another type; MalformedRecord, Unreadable.
    """
    source, target = log.resolve(), out.resolve()
    if source == target or source in target.parents or target in source.parents:
        raise UsageError(f"one of {out} and {log} contains the other", "give the OCI layout a folder of its own")
    check_folder(out)
    check_tags(out, KIND, [LATEST])


def write_release(log: LogFolder, out: Path, published: Published, names: Iterable[str]) -> str:
    """Write the last release of a log to an OCI layout, with its number and `latest` as tags; gives its digest.

    Unpacked in one folder, the layers are the folder of the log with this release alone: it can be verified as any
    other. names: the files of the release, relative to its folder.
    Raises UsageError for a log that is too long, and if another release was published in the meantime; and as
    check_target and write_artifact.
    """
    check_target(log.root, out)
    note = log.checkpoint()
    if note is None or Checkpoint.parse(note.text) != published.checkpoint:
        raise UsageError("another release was published in the meantime", "run the command again")
    size, folder = published.checkpoint.size, release_path(published.release)
    if size > MOST_GROUPS * GROUP:
        raise UsageError(f"a log of {size:,} leaves is too long for a registry", "serve its folder instead")
    full = size // GROUP
    files = {f"leaves-{number:04}.tar": _group_paths(number) for number in range(full)}
    files["leaves-last.tar"] = [*_last_paths(size, full)]
    files["release.tar"] = [f"{folder}/{name}" for name in sorted({*names, manifest.NAME, REVOCATIONS})]
    layers = [Layer(title, TAR, partial(_archived, log.root, paths)) for title, paths in files.items()]
    signed = bytes(note)
    layers.append(Layer("checkpoint.tar", TAR, lambda: [*_member(CHECKPOINT, len(signed), [signed]), _END]))
    facts = {TITLE: published.checkpoint.origin, VERSION: str(published.release)}
    return write_artifact(out, layers, kind=KIND, annotations=facts, tags=(str(published.release), LATEST))


def _group_paths(number: int) -> list[str]:
    """Paths of the full tiles of a group: entry bundles, leaf hashes, and the tile above them."""
    tiles = range(number * WIDTH, (number + 1) * WIDTH)
    return [*(tile_path(level, tile) for level in (None, 0) for tile in tiles), tile_path(1, number)]


def _last_paths(size: int, full: int) -> Iterator[str]:
    """Paths of all other tiles of a tree. full: number of groups that are full."""
    levels = [(None, full * WIDTH, size), (0, full * WIDTH, size), (1, full, size // WIDTH)]
    level, hashes = 2, size // GROUP
    while hashes:
        levels.append((level, 0, hashes))
        level, hashes = level + 1, hashes // WIDTH
    for kind, first, hashes in levels:
        for number in range(first, -(-hashes // WIDTH)):
            yield tile_path(kind, number, tile_width(size, kind or 0, number))


def _archived(root: Path, paths: Sequence[str]) -> Iterator[bytes]:
    """A tar archive of files below a folder: of nobody and of no time. Raises Unreadable."""
    for path in paths:
        try:
            with os.fdopen(open_file(root, path), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                yield from _member(path, size, iter(partial(file.read, _CHUNK), b""))
        except OSError as error:
            raise inputs.unreadable(root / path, error) from error
    yield _END


def _member(path: str, size: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A file of an archive. Raises Unreadable if it does not have `size` bytes."""
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = size, 0o644
    yield entry.tobuf(tarfile.PAX_FORMAT)
    left = size
    for chunk in chunks:
        left -= len(chunk)
        yield chunk
    if left:
        raise Unreadable(f"{path} changed while it was read", "run the command again")
    yield bytes(-size % tarfile.BLOCKSIZE)


_END = bytes(2 * tarfile.BLOCKSIZE)
