"""What a lookup at a static host reads besides the checkpoint and one range, in one file for each release.

That is the release record with its proof, the record before it, the revocations that came between, and, of the
catalog, the manifest, the components and the index of the ranges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from catalog.fast.published import PublishedRelease
from catalog.files import inputs
from catalog.log.file_pack import MAX_PACK, format_pack, leaf_name
from catalog.log.log_folder import REVOCATIONS, LogFolder, release_path
from catalog.log.log_reader import LogReader, open_log
from catalog.log.revocation_list import MAX_REVOCATIONS
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.ranges import INDEX, RangeIndex, ranges_path
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.tiles import Store

_LARGEST = 2 << 20
"""Bytes: a file of a release, or all leaves together, that are left out if they have more."""

_HEADS = 1 << 20
"""Bytes of a pack that are left for what precedes the files."""

_ASKED = frozenset(
    {manifest.FIRMWARE, manifest.LAUNCHABLE, manifest.KERNEL_HASHES, manifest.BASES, manifest.VCPU_TYPES}
    | {manifest.ENDORSED}
)


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


def lookup_pack(catalog: Catalog, release: PublishedRelease, index: RangeIndex) -> bytes:
    """The pack for the checkpoint at which the last release of a log was verified. catalog: of that release.

    A file that is large, or for which no space is left, is not in it: clients fetch it by itself. Raises as LogReader
    and Catalog.verified.
    """
    log, folder = open_log(release), release_path(release.number)
    files = _of_log(log, Checkpoint(release.origin, release.size, bytes.fromhex(release.root)))
    files[f"{ranges_path(release.number)}/{INDEX}"] = bytes(index)
    files[f"{folder}/{manifest.NAME}"] = log.read(f"{folder}/{manifest.NAME}", inputs.MAX_TEXT_SIZE)
    files[f"{folder}/{REVOCATIONS}"] = log.read(f"{folder}/{REVOCATIONS}", MAX_REVOCATIONS)
    for name, entry in catalog.manifest.files.items():
        if (name in _ASKED or name.startswith(f"{manifest.VMM_FOLDER}/")) and entry.size <= _LARGEST:
            files[f"{folder}/{name}"] = catalog.verified(name)
    return format_pack(_fitting(files))


def _fitting(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The files, in order, that fit into a pack."""
    left = MAX_PACK - _HEADS
    for path, data in files.items():
        if len(data) <= min(left, _LARGEST):
            left -= len(data)
            yield path, data


def _of_log(log: LogFolder, checkpoint: Checkpoint) -> dict[str, bytes]:
    """The leaves from which a client verifies the last release, by their names in a pack, and the tiles above them."""
    noted = _Noted(log)
    reader = LogReader(noted, checkpoint)
    span = reader.span(checkpoint.size)
    first = max(span.first, span.end - 2 - len(reader.read_revokes(span)))  # a leaf that ends the revocations
    reader.root_at(span.first)
    indices = [*range(first, span.end), *([span.first - 1] if span.first else [])]
    leaves = {leaf_name(index): reader.leaf(index) for index in indices}
    return noted.tiles | (leaves if sum(map(len, leaves.values())) <= _LARGEST else {})
