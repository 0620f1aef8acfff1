"""What a lookup at a host reads of the last release of a log besides rows, in one file.

That is the release record with its proof, the record before it, the revocations that came between, and, of the
catalog, the manifest and the components. docs/ranges.md has the format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from catalog.fast.manifest_lines import MANIFEST
from catalog.files import inputs
from catalog.log.file_pack import MAX_PACK, format_pack, leaf_name
from catalog.log.log_folder import REVOCATIONS, LogFolder, release_path
from catalog.log.log_reader import LogReader
from catalog.log.revocation_list import MAX_REVOCATIONS
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import Store

LARGEST = 2 << 20
"""Bytes: a file of a release, or all leaves together, that are left out if they have more."""

_HEADS = 1 << 20
"""Bytes of a pack that are left for what precedes the files."""


class _Noted:
    """A log, and the tiles of hashes that were read of it, by their path."""

    def __init__(self, log: Store) -> None:
        self.tiles: dict[str, bytes] = {}
        self._log = log

    def read(self, path: str, at_most: int) -> bytes:
        """As `Store`."""
        data = self._log.read(path, at_most)
        if not path.startswith("tile/entries/"):
            self.tiles[path] = data
        return data


def pack_of(files: Mapping[str, bytes]) -> bytes:
    """A pack of the files, in order, without those that are large or do not fit, which clients fetch by themselves."""
    return format_pack(_fitting(files))


def leaves_to_verify(log: LogFolder, checkpoint: Checkpoint) -> dict[str, bytes]:
    """The leaves from which a client verifies the last release, by their names in a pack, and the tiles above them.

    Raises as LogReader.
    """
    noted = _Noted(log)
    reader = LogReader(noted, checkpoint)
    span = reader.span(checkpoint.size)
    first = max(span.first, span.end - 2 - len(reader.read_revokes(span)))  # a leaf that ends the revocations
    reader.root_at(span.first)
    indices = [*range(first, span.end), *([span.first - 1] if span.first else [])]
    leaves = {leaf_name(index): reader.leaf(index) for index in indices}
    return noted.tiles | (leaves if sum(map(len, leaves.values())) <= LARGEST else {})


def release_files(
    log: LogFolder, number: int, verified: Callable[[str], bytes], names: Iterable[str]
) -> dict[str, bytes]:
    """Manifest, revocations and other files of a release, by their paths in the log.

    verified: reads a file of the catalog by its name. Raises Unreadable, MalformedInput, and as `verified`.
    """
    folder = release_path(number)
    return {
        f"{folder}/{MANIFEST}": log.read(f"{folder}/{MANIFEST}", inputs.MAX_TEXT_SIZE),
        f"{folder}/{REVOCATIONS}": log.read(f"{folder}/{REVOCATIONS}", MAX_REVOCATIONS),
        **{f"{folder}/{name}": verified(name) for name in names},
    }


def _fitting(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    left = MAX_PACK - _HEADS
    for path, data in files.items():
        if len(data) <= min(left, LARGEST):
            left -= len(data)
            yield path, data
