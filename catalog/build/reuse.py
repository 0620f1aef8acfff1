"""Reuse: takes rows from the catalog that is to be replaced, if that was built on this machine.

A sweep is reused if its components, its VMSA axes and its vCPU counts are the same. One sweep of each group is measured
again and compared, so that the rows of another program, other profiles or other records are not used.
"""

from __future__ import annotations

import hashlib
import itertools
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from catalog.build.measuring import measure_last
from catalog.errors import LdcatError
from catalog.fast.index import Group, Index
from catalog.fast.names import PROFILES, TABLES, Names
from catalog.fast.verity import DamagedBlock, VerifiedFile
from catalog.files.inputs import MAX_TEXT_SIZE, read_file
from catalog.launch.hashing.backends import HashBackend
from catalog.rows.launch_config import VcpuSweep
from catalog.state.receipts import Receipts
from catalog.store import manifest, row_records
from catalog.store.manifest import Manifest, parse_manifest
from catalog.store.row_records import NONE, Buffer
from catalog.version import __version__

Key = tuple[str | int | None, ...]
"""As LaunchConfig.sweep_inputs, hashes in hex."""


class Previous:
    """The rows of one technology in the catalog at `folder`, for a build of `sweeps`.

    numbers: of the sweeps that need not be hashed. Raises DamagedBlock if nothing there can be reused.
    """

    def __init__(
        self, folder: Path, technology: str, sweeps: Sequence[VcpuSweep], backend: HashBackend, receipts: Receipts
    ) -> None:
        self._open: list[VerifiedFile] = []
        self._folder = folder
        self._technology = technology
        self._manifest = _read_manifest(folder, receipts)
        try:
            self._parts = self._part_files()
            file = self._file(f"{technology}/{manifest.INDEX}")
            self._index = Index(file, lambda part, offset, size: self._parts[part].read(offset, size))
            if self._index.distinguished_bits:
                raise DamagedBlock("the catalog keeps distinguished digests only")
            names = Names(self._file(manifest.names_file(technology)))
            places = {_key(sweep): number for number, sweep in enumerate(sweeps)}
            self._starts = array("Q")
            self._numbers = array("I")
            sample: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
            for group in self._index.groups():
                found = _renumber(group, names, places, sweeps)
                self._starts.extend(group.first + n * (len(group.counts) or 1) for n in range(len(found)))
                self._numbers.extend(found)
                kept = [n for n, number in enumerate(found) if number != NONE]
                if kept:
                    ordinal = group.first + (kept[-1] + 1) * (len(group.counts) or 1) - 1
                    sample[group.counts].append((found[kept[-1]], ordinal))
            if not all(self._holds(pairs, sweeps, backend) for pairs in sample.values()):
                raise DamagedBlock("the catalog was made with other components, or by another program")
        except BaseException:
            self.close()
            raise
        self.numbers = frozenset(self._numbers) - {NONE}

    def close(self) -> None:
        """Close every file."""
        for file in self._open:
            file.close()

    def records(self, bits: int) -> Iterator[list[Buffer]]:
        """The records by shard, one row group at a time; raises DamagedBlock. bits: of a shard's number."""
        for digests, entries in self._index.pages():
            records = row_records.renumbered(
                digests,
                entries,
                digest_size=self._index.digest_size,
                ordinal_bits=self._index.ordinal_bits,
                starts=self._starts,
                sweeps=self._numbers,
            )
            yield _by_shard(records, self._index.digest_size + row_records.NUMBERS_SIZE, bits)

    def _holds(self, pairs: Sequence[tuple[int, int]], sweeps: Sequence[VcpuSweep], backend: HashBackend) -> bool:
        """Whether the last digest of some sweeps, measured now, leads to their ordinals in the index.

        pairs: number of the sweep, and ordinal of its last row.
        """
        made = measure_last([sweeps[number] for number, _ in pairs], backend)
        return all(ordinal in self._index.find(bytes(digest)) for digest, (_, ordinal) in zip(made, pairs, strict=True))

    def _part_files(self) -> list[VerifiedFile]:
        entry = self._manifest.technologies.get(self._technology)
        if entry is None:
            raise DamagedBlock(f"the catalog has no {self._technology}")
        return [self._file(name) for name in manifest.part_names(self._technology, entry.parts)]

    def _file(self, name: str) -> VerifiedFile:
        entry = self._manifest.files.get(name)
        if entry is None or entry.fsverity is None:
            raise DamagedBlock(f"the manifest does not say how {name} is verified")
        try:
            digest = bytes.fromhex(entry.fsverity)
        except ValueError as error:
            raise DamagedBlock(f"the manifest does not say how {name} is verified") from error
        file = VerifiedFile(self._folder / name, digest, entry.size, hashlib.sha256)
        self._open.append(file)
        return file


def _read_manifest(folder: Path, receipts: Receipts) -> Manifest:
    try:
        text = read_file(folder / manifest.NAME, limit=MAX_TEXT_SIZE, regular=True)
        found = parse_manifest(text)
    except LdcatError as error:
        raise DamagedBlock(str(error)) from error
    if found.generator != f"ldcat {__version__}":
        raise DamagedBlock(f"the catalog was made by {found.generator}")
    if not receipts.know(hashlib.sha256(text).hexdigest()):
        raise DamagedBlock("the catalog was not built here")
    return found


def _key(sweep: VcpuSweep) -> Key:
    return tuple([one.hex() if isinstance(one, bytes) else one for one in sweep.config.sweep_inputs()])


def _renumber(group: Group, names: Names, places: dict[Key, int], sweeps: Sequence[VcpuSweep]) -> list[int]:
    """For each sweep of a group its number in this build; NONE if it is not part of it or has other vCPU counts."""
    identity = names.identity(group.firmware)
    table = None if group.kernel_hashes is None else names.record(TABLES, group.kernel_hashes)[0]
    vmm = None if group.vmm is None else names.record(PROFILES, group.vmm)[0]
    counts = group.counts or (None,)
    variants = itertools.product(group.signatures or (None,), group.features or (None,))
    numbers = (places.get((*identity, table, vmm, signature, features), NONE) for signature, features in variants)
    return [number if number != NONE and sweeps[number].vcpus == counts else NONE for number in numbers]


def _by_shard(records: bytes | memoryview, record_size: int, bits: int) -> list[Buffer]:
    """Sorted records, as one piece for each shard."""

    def shard_at(row: int) -> int:
        return row_records.first_bits(records[row * record_size : row * record_size + 8], bits)

    count = len(records) // record_size
    pieces: list[Buffer] = [b""] * (1 << bits)
    row = 0
    while row < count:  # only the shards that occur: a row group has a few neighbouring ones
        shard = shard_at(row)
        end = bisect_left(range(count), shard + 1, lo=row, key=shard_at)
        pieces[shard] = records[row * record_size : end * record_size]
        row = end
    return pieces
