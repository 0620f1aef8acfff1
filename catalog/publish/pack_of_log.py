"""The packs of a log: each publication writes one, so that a lookup at a host of the folder needs few requests."""

from __future__ import annotations

from contextlib import suppress

from catalog.errors import MalformedInput, Unreadable
from catalog.fast.beneath import walk
from catalog.files.writer import remove
from catalog.log.file_pack import PACKS, pack_path, pack_size
from catalog.log.log_folder import LogFolder
from catalog.log.release_pack import LARGEST, leaves_to_verify, pack_of, release_files
from catalog.store.manifest import CatalogFiles
from catalog.transparency.checkpoint import Checkpoint

_KEPT = 8
"""Packs that a log keeps, for clients whose checkpoint a cache has held back."""


def write_pack(log: LogFolder, checkpoint: Checkpoint, number: int, catalog: CatalogFiles) -> None:
    """Write the pack of a checkpoint, whose other files are there, unless the log has it with these bytes.

    number: of its last release. catalog: of that release. Raises as `leaves_to_verify`, `release_files`
    and LogFolder.write.
    """
    listed = catalog.manifest
    names = [*listed.asked(at_most=LARGEST), *listed.beside_indexes(at_most=LARGEST)]
    made = pack_of(leaves_to_verify(log, checkpoint) | release_files(log, number, catalog.verified, names))
    path = pack_path(checkpoint.size)
    with suppress(Unreadable, MalformedInput):
        if log.read(path, len(made)) == made:
            return
    log.write([(path, made)])


def remove_packs(log: LogFolder, size: int) -> None:
    """Remove the packs that a log does not keep: all but those of its newest checkpoints. What cannot be removed stays.

    size: leaves of the published checkpoint. A pack of a larger one was written by a run that was interrupted.
    """
    with suppress(OSError):
        packs = {found: path for path, _ in walk(log.root, PACKS) if (found := pack_size(path))}
        kept = sorted(found for found in packs if found <= size)[-_KEPT:]
        for found, path in packs.items():
            if found not in kept:
                remove(log.root, path)
