"""The room a build needs on its disk, from what it counts before it starts; and whether the disk has it."""

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
"""Bytes of a VMSA page's hash in a dictionary of Parquet, its length before it."""

_OTHER_COLUMNS = 7
"""Bytes of a row in the columns that name a component or a number, at most: codes of one byte or two each."""

_ROW_GROUP_BYTES = 16 << 10
"""Of a row group that are not its rows': small dictionaries, statistics, its share of the footer."""

_BESIDES = 1 << 20
"""Bytes of the files that are no rows: components, names, manifest."""


def room_needed(spec: CatalogSpec, counts: Mapping[str, Count]) -> int:
    """Bytes that a build has on its disk at most, nearly; what stands at its place is not counted.

    The rows of a technology are spilled until all are hashed, and each shard goes as its part is written.
    """
    written, most = _BESIDES, _BESIDES
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
    """Of all Parquet parts of a technology. Each row group has a dictionary of all its values; those of more than it
    has rows are in their places, too.
    """
    shards = 1 << shard_bits(count.rows)
    groups = shards * -(-count.rows // (shards * ROW_GROUP))
    codes = 2 * (count.vmsas.bit_length() / 8 + (_VMSA_VALUE if count.vmsas > ROW_GROUP else 0))
    each = digest_size + _OTHER_COLUMNS + codes
    return count.rows * each + groups * (2 * _VMSA_VALUE * count.vmsas + _ROW_GROUP_BYTES)


def check_room(folder: Path, needed: int) -> None:
    """Raises DiskFull where the file system of a folder, which need not be there, has less room than that."""
    there = Path(os.path.realpath(folder))
    try:
        while not there.exists():
            there = there.parent
        total, _, free = shutil.disk_usage(there)
    except OSError:  # whoever writes there is told why that cannot be
        return
    if total and needed > free:  # some file systems hold nothing at all
        raise DiskFull(
            f"the catalog needs about {_said(needed)} in {folder}, and {_said(free)} are free",
            "name a folder on a larger disk with --out, or list fewer values in the spec",
        )


def _said(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
