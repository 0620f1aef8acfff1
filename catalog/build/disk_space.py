"""The disk space that a build needs, estimated from the counts of its spec, and the check that it is free."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from catalog.build.distinguished import chain_steps
from catalog.build.generation import shard_bits
from catalog.build.index_writer import BUCKET_ROWS, entry_bytes
from catalog.errors import DiskFull
from catalog.fast.index import ROW_GROUP
from catalog.launch.technology import technologies
from catalog.spec.catalog_spec import CatalogSpec
from catalog.spec.counting import Count
from catalog.store.row_records import NUMBERS_SIZE

_VMSA_VALUE = 36
"""Bytes: the hash of a VMSA page in a Parquet dictionary, with its u32 length."""

_OTHER_COLUMNS = 7
"""Bytes: most of a row in the columns of components and numbers, as dictionary codes of one or two bytes each."""

_ROW_GROUP_BYTES = 16 << 10
"""Bytes: overhead of a row group, such as small dictionaries, statistics and its share of the footer."""

_BESIDES = 1 << 20
"""Bytes: the files without rows, which are components, names and manifest."""

_ENDORSED = 1 << 10
"""Bytes of an endorsed digest."""


def room_needed(spec: CatalogSpec, counts: Mapping[str, Count]) -> int:
    """About the most bytes that a build has on disk at a time, without the catalog that it replaces.

    The rows of a technology are spilled until all are hashed; the spill of a shard is removed when its part is written.
    """
    written = most = _BESIDES + sum(map(len, spec.documents.values())) + _ENDORSED * len(spec.endorsed)
    for name in sorted(counts):
        count, bits, size = counts[name], spec.axes[name].distinguished_bits, technologies()[name].digest_size
        rows = (count.rows >> bits) + count.sweeps if bits else count.rows
        ordinals = count.sweeps * chain_steps(count.last, bits) if bits else count.rows
        index = rows * (entry_bytes(ordinals) + 8 / BUCKET_ROWS)
        parts = 0.0 if bits else _part_bytes(count, size)
        files = (index + parts) * 129 / 128  # and a hash for each 4096 bytes
        most = max(most, written + int(max(rows * (size + NUMBERS_SIZE), files)))
        written += int(files)
    return most


def _part_bytes(count: Count, digest_size: int) -> float:
    """Bytes of all Parquet parts of a technology.

    Each row group has a dictionary of its values, and the values themselves if there are more of them than rows.
    """
    shards = 1 << shard_bits(count.rows)
    groups = shards * -(-count.rows // (shards * ROW_GROUP))
    codes = 2 * (count.vmsas.bit_length() / 8 + (_VMSA_VALUE if count.vmsas > ROW_GROUP else 0))
    each = digest_size + _OTHER_COLUMNS + codes
    return count.rows * each + groups * (2 * _VMSA_VALUE * count.vmsas + _ROW_GROUP_BYTES)


def check_room(folder: Path, needed: int) -> None:
    """Raises DiskFull if the file system of a folder, which need not exist, has fewer free bytes than `needed`."""
    there = Path(os.path.realpath(folder))
    try:
        while not there.exists():
            there = there.parent
        total, _, free = shutil.disk_usage(there)
    except OSError:  # the error is raised when the folder is written
        return
    if total and needed > free:  # some file systems hold nothing at all
        raise DiskFull(
            f"the catalog needs about {_readable(needed)} in {folder}, and {_readable(free)} are free",
            "name a folder on a larger disk with --output, or list fewer values in the spec",
        )


def _readable(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
