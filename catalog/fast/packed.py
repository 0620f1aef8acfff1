"""PackedCatalog: lookup through a catalog's indexes; every byte is verified against the manifest before it is used."""

from __future__ import annotations

import os

from catalog.abi.kernel_table import cmdline_fault, table_fault
from catalog.fast.beneath import Files
from catalog.fast.index import Index
from catalog.fast.manifest_lines import listed_file, listed_technologies, lists_file, read_manifest
from catalog.fast.match import PROVENANCE, Match
from catalog.fast.names import IMAGES, PROFILES, TABLES, TYPES, FalseNames, Names
from catalog.fast.verity import SUFFIX, DamagedBlock, VerifiedFile
from catalog.launch.hosted import hosted_verdict
from catalog.rows.fields import FACTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence
    from typing import Any

    from catalog.fast.index import Group, Row

_NAMES = "components/names"
_KINDS = {"firmware": IMAGES, "kernel_hashes": TABLES, "vmm": PROFILES}
_INDEX = "/launch_digests.index"
_ENDORSED = "endorsements/endorsed.jsonl"

ENDORSED_LIMIT = 4 << 20
"""Bytes: most of the endorsed digests that the fast path reads."""


def light_sha256() -> Callable[[bytes], Any]:
    """A SHA-256 constructor for the few blocks of one lookup; hashlib's is faster, but takes 3 ms to load."""
    try:
        from _sha2 import sha256
    except ImportError:
        from _sha256 import sha256
    return sha256  # type: ignore[no-any-return]


class PackedCatalog:
    """An open catalog; `close` it after use.

    folder: its folder, or its files below the folder of a log.
    sha256: a constructor such as hashlib.sha256.
    manifest_sha256: in hex, of the expected manifest; None: any manifest.
    need: called with the name of a file before it is opened, to fetch it.
    technologies: those that are looked up, None for all. `unknown` has the names of the others, whose files are not
    opened.

    Opening and looking up raise DamagedBlock if a file differs from the manifest or is invalid; FalseNames if the
    kernel or the command line to be shown is not the measured one.
    """

    def __init__(
        self,
        folder: str | Files,
        sha256: Callable[[bytes], Any],
        manifest_sha256: str | None = None,
        need: Callable[[str], None] | None = None,
        *,
        technologies: Container[str] | None = None,
    ) -> None:
        self._files = files = Files(folder) if isinstance(folder, str) else folder
        self._need = need
        self._sha256 = sha256
        self._open: list[VerifiedFile] = []
        self._parts: dict[tuple[str, int], VerifiedFile] = {}
        self._builds_known: dict[tuple[int, str], list[tuple[Mapping[str, Any], tuple[str, str, str]]]] = {}
        self._kernels_known: dict[int, list[Mapping[str, Any]]] = {}
        self._types_known: dict[int, tuple[str, ...]] = {}
        self._manifest = read_manifest(files)
        if manifest_sha256 not in (None, sha256(self._manifest).hexdigest()):
            raise DamagedBlock(f"{files.path}/manifest.json is not the expected manifest")
        try:
            self._names = Names(self._file(_NAMES))
            listed = listed_technologies(self._manifest)
            self.unknown = [] if technologies is None else [name for name in listed if name not in technologies]
            self.indexes = {name: self._index(name, one) for name, one in listed.items() if name not in self.unknown}
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every file."""
        for file in self._open:
            file.close()

    def lookup(self, digest: bytes) -> list[Match]:
        """Every configuration with that digest, ordered by `Match.order`; without the indexes of `distinguished`."""
        found: list[Match] = []
        for technology, index in self.indexes.items():
            if index.distinguished_bits:
                continue
            for ordinal in index.find(digest):
                group = index.group_of(ordinal)
                found += self.matches(digest, technology, group, group.at(ordinal))
        found.sort(key=Match.order)
        return found

    def endorsed(self) -> bytes:
        """The leaves of the endorsed digests, one a line; empty if the catalog has none."""
        if not lists_file(self._manifest, _ENDORSED):
            return b""
        sha256, size = listed_file(self._manifest, _ENDORSED, "sha256")
        try:
            file = self._files.open(_ENDORSED)
            try:
                leaves = os.read(file, size + 1) if size <= ENDORSED_LIMIT else b""
            finally:
                os.close(file)
        except OSError as error:
            raise DamagedBlock(f"{error.filename or _ENDORSED}: {(error.strerror or str(error)).lower()}") from error
        if self._sha256(leaves).digest() != sha256:
            raise DamagedBlock(f"{_ENDORSED} is not the file its manifest names")
        return leaves

    def distinguished(self, digest: bytes) -> dict[str, Index]:
        """The indexes that keep distinguished digests only, for digests of this length: see distinguished_lookup.py."""
        return {
            technology: index
            for technology, index in self.indexes.items()
            if index.distinguished_bits and index.digest_size == len(digest)
        }

    def component(self, kind: int, number: int) -> str:
        """A component by its number in an index: SHA-256 in hex of an image or a table, or name of a profile."""
        return self._names.record(kind, number)[0] or ""

    def matches(self, digest: bytes, technology: str, group: Group, row: Row, *, listed: bool = True) -> list[Match]:
        """The matches of a row: one for each combination of names of its components. row: from Group.at."""
        try:
            return list(self._named(digest, technology, group, row, listed=listed))
        except (ValueError, LookupError) as error:
            raise DamagedBlock("the component names are invalid") from error

    def _named(self, digest: bytes, technology: str, group: Group, row: Row, *, listed: bool) -> Iterator[Match]:
        signature, features, vcpus = row
        if len({group.vmm is None, features is None, vcpus is None}) != 1:
            raise DamagedBlock("the index has a group that lacks an axis")
        named = (None, None) if group.vmm is None else tuple(self._names.record(PROFILES, group.vmm))
        vmm, title, hosted = (*named, None)[:3]
        kernels = [None] if group.kernel_hashes is None else self._kernels(group.kernel_hashes)
        values = {
            "launch_digest": digest,
            "technology": technology,
            "vmm": vmm,
            "vcpu_signature": signature,
            "sev_features": features,
            "vcpus": vcpus,
            **self._facts(group),
        }
        for firmware, recorded in self._builds(group.firmware, technology):
            values["firmware_sha256"] = firmware["sha256"]
            for kernel in kernels:
                yield Match(
                    {**values, "kernel_hashes_sha256": kernel and kernel["table_sha256"]},
                    firmware=firmware,
                    kernel_hashes=kernel,
                    vmm_title=title,
                    vcpu_types=() if signature is None else self._vcpu_types(signature),
                    launchable=hosted_verdict(vmm, hosted, firmware["distribution"]) or recorded,
                    listed=listed,
                )

    def _facts(self, group: Group) -> dict[str, Any]:
        """The facts of a group's components; None for a fact that the catalog does not have."""
        found: dict[str, Any] = {}
        for fact in FACTS:
            kind, number = _KINDS[fact.component or ""], getattr(group, fact.component or "")
            text = None if number is None else self._names.facts(kind, number).get(fact.name)
            found[fact.name] = None if text is None else fact.kind.parse(text if fact.kind.is_text else int(text))
        return found

    def _builds(self, image: int, technology: str) -> list[tuple[Mapping[str, Any], tuple[str, str, str]]]:
        """The builds of an image, each with its launchability: verdict, reason and source."""
        if (image, technology) not in self._builds_known:
            self._builds_known[image, technology] = list(self._read_builds(image, technology))
        return self._builds_known[image, technology]

    def _read_builds(self, image: int, technology: str) -> Iterator[tuple[Mapping[str, Any], tuple[str, str, str]]]:
        sha256, count, *rest = self._names.record(IMAGES, image)
        technologies, rest = rest[: int(count or 0)], rest[int(count or 0) :]
        width = 4 + len(PROVENANCE) + 3 * len(technologies)
        at = 4 + len(PROVENANCE) + 3 * technologies.index(technology)
        for start in range(0, len(rest), width):
            build = rest[start : start + width]
            name, sha384, size, enforced = (text or "" for text in build[:4])
            provenance: dict[str, Any] = dict(zip(PROVENANCE, build[4:], strict=False))
            if provenance["package_sha256"] is not None:
                provenance["package_sha256"] = bytes.fromhex(provenance["package_sha256"])
            firmware: dict[str, Any] = {
                "name": name,
                "sha256": bytes.fromhex(sha256 or ""),
                "sha384": bytes.fromhex(sha384),
            }
            firmware |= {"size": int(size), "kernel_hashes_enforced": enforced, **provenance}
            verdict, reason, source = (text or "" for text in build[at : at + 3])
            yield firmware, (verdict, reason, source)

    def _kernels(self, table: int) -> Sequence[Mapping[str, Any]]:
        """The records of a kernel hashes table, one for each of its names."""
        if table not in self._kernels_known:
            self._kernels_known[table] = self._read_kernels(table)
        return self._kernels_known[table]

    def _read_kernels(self, table: int) -> list[Mapping[str, Any]]:
        table_sha256, *rest = self._names.record(TABLES, table)
        fields = ("kernel_sha256", "initrd_sha256", "cmdline_sha256")
        found: list[Mapping[str, Any]] = [
            {
                "name": rest[at],
                "table_sha256": bytes.fromhex(table_sha256 or ""),
                **{name: bytes.fromhex(rest[at + n] or "") for n, name in enumerate(fields, 1)},
                "append": rest[at + 4],
            }
            for at in range(0, len(rest), 5)
        ]
        for row in found:
            if fault := table_fault(row, self._sha256) or cmdline_fault(row, self._sha256):
                raise FalseNames(fault)
        return found

    def _vcpu_types(self, signature: int) -> tuple[str, ...]:
        """All names of a vCPU signature."""
        if signature not in self._types_known:
            self._types_known[signature] = self._read_vcpu_types(signature)
        return self._types_known[signature]

    def _read_vcpu_types(self, signature: int) -> tuple[str, ...]:
        """The names of a vCPU signature, by binary search over the sorted records."""
        low, high = 0, self._names.counts[TYPES]
        while low < high:
            middle = (low + high) // 2
            value, *names = self._names.record(TYPES, middle)
            if int(value or 0) == signature:
                return tuple(name or "" for name in names)
            low, high = (middle + 1, high) if int(value or 0) < signature else (low, middle)
        return ()

    def _index(self, technology: str, expected: tuple[int, int]) -> Index:
        name = technology + _INDEX
        file = self._file(name)
        index = Index(file, lambda part, offset, size: self._part(technology, part).read(offset, size))
        if index.technology != technology:
            raise DamagedBlock(f"{name} is the index of another technology")
        if (index.digest_size, index.parts) != expected:
            raise DamagedBlock(f"{name} is not the index that the manifest describes")
        return index

    def _part(self, technology: str, number: int) -> VerifiedFile:
        """The Parquet file of a part, in which digests are compared in place."""
        key = (technology, number)
        if key not in self._parts:
            parts = self.indexes[technology].parts
            width = len(str(parts - 1))
            suffix = f"-{number:0{width}}" if parts > 1 else ""
            self._parts[key] = self._file(f"{technology}/launch_digests{suffix}.parquet")
        return self._parts[key]

    def _file(self, name: str) -> VerifiedFile:
        digest, size = listed_file(self._manifest, name)
        if self._need:
            self._need(name)
            self._need(name + SUFFIX)
        file = VerifiedFile(name, digest, size, self._sha256, self._files)
        self._open.append(file)
        return file
