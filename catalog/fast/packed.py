"""PackedCatalog: lookup through a catalog's indexes; every byte is verified against the manifest before it is used."""

from __future__ import annotations

from _thread import allocate_lock

from catalog.fast.beneath import Files
from catalog.fast.index import Index
from catalog.fast.manifest_lines import listed_file, listed_technologies, lists_file, read_listed, read_manifest
from catalog.fast.match import Match
from catalog.fast.names import IMAGES, PROFILES, TABLES, Names
from catalog.fast.verity import SUFFIX, DamagedBlock, VerifiedFile
from catalog.launch.hosted import hosted_verdict
from catalog.rows.fields import FACTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from typing import Any

    from catalog.fast.index import Group, Row

_NAMES = "components/names"
_KINDS = {"firmware": IMAGES, "kernel_hashes": TABLES, "vmm": PROFILES}
_INDEX = "/launch_digests.index"
_ENDORSED = "endorsements/endorsed.jsonl"

ENDORSED_LIMIT = 4 << 20
"""Bytes: most of the endorsed digests that the fast path reads."""

_KEPT = 56 << 20
"""Bytes of indexes and parts that compiled code keeps in memory together with their trees: see compiled_find.py."""

_FEW = 256
"""Lookups in Python before compiled code is loaded, which takes as long as some hundred of them."""


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

    Several threads may look up at a time.

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
        self._parts: dict[str, dict[int, VerifiedFile]] = {}
        self._index_files: dict[str, VerifiedFile] = {}
        self._memory: Any = None
        self._known: dict[tuple[Any, ...], Any] = {}
        self._names_by: dict[str, Names] = {}
        self._opening = allocate_lock()
        self.indexes: dict[str, Index] = {}
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

    @property
    def manifest_sha256(self) -> str:
        """SHA-256 of the manifest, in hex."""
        return str(self._sha256(self._manifest).hexdigest())

    def close(self) -> None:
        """Close every file."""
        self._forget_compiled()
        for file in self._open:
            file.close()

    def forget(self) -> None:
        """Drop what was read from memory; compiled code begins anew after some lookups."""
        with self._opening:  # a thread that compiles now would be done after this
            self._forget_compiled()
            for file in self._open:
                file.forget()
            self._known.clear()
            for name, index in self.indexes.items():
                index.groups_read.clear()
                if not index.distinguished_bits:
                    self._compile_later(index, self._index_files[name])

    def _forget_compiled(self) -> None:
        for index in self.indexes.values():
            index.find, index.group_of = index.find_in_python, index.group_of_in_python
        self._memory = None

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
        return read_listed(self._files, self._manifest, _ENDORSED, self._sha256, most=ENDORSED_LIMIT)

    def distinguished(self, digest: bytes) -> dict[str, Index]:
        """The indexes that keep distinguished digests only, for digests of this length: see distinguished_lookup.py."""
        return {
            technology: index
            for technology, index in self.indexes.items()
            if index.distinguished_bits and index.digest_size == len(digest)
        }

    def component(self, technology: str, kind: int, number: int) -> str:
        """A component by its number in an index: SHA-256 in hex of a table, or name of a profile."""
        return self._names_of(technology).record(kind, number)[0] or ""

    def identity(self, group: Group) -> tuple[str | None, str | None, str | None]:
        """What identifies the image or the base of a group, as `Names.identity`."""
        return self._names.identity(group.firmware)

    def _names_of(self, technology: str) -> Names:
        """The component names of a technology, which may keep a file of its own (docs/index.md)."""
        with self._opening:
            if technology not in self._names_by:
                own = f"{technology}/names"
                self._names_by[technology] = Names(self._file(own)) if lists_file(self._manifest, own) else self._names
            return self._names_by[technology]

    def matches(self, digest: bytes, technology: str, group: Group, row: Row, *, listed: bool = True) -> list[Match]:
        """The matches of a row: one for each combination of names of its components. row: from Group.at."""
        try:
            return list(self._named(digest, technology, group, row, listed=listed))
        except (ValueError, LookupError) as error:
            raise DamagedBlock("the component names are invalid") from error

    def _named(self, digest: bytes, technology: str, group: Group, row: Row, *, listed: bool) -> Iterator[Match]:
        signature, features, vcpus = row
        names = self._names_of(technology)
        alone = group.vmm is not None and features is None  # of an IGVM file, or of a TD
        if not alone and len({group.vmm is None, features is None, vcpus is None}) != 1:
            raise DamagedBlock("the index has a group that lacks an axis")
        named = (None, None) if group.vmm is None else tuple(names.record(PROFILES, group.vmm))
        vmm, title, hosted = (*named, None)[:3]
        values = {
            "launch_digest": digest,
            "technology": technology,
            "firmware_sha256": None,
            "firmware_snp_baseline": None,
            "base_digest": None,
            "kernel_hashes_sha256": None,
            "vmm": vmm,
            "vcpu_signature": signature,
            "sev_features": features,
            "vcpus": vcpus,
        }
        shown: dict[str, Any] = {
            "vmm_title": title,
            "vcpu_types": () if signature is None else self._once(names.vcpu_types, signature),
            "listed": listed,
        }
        base = names.base_number(group.firmware)
        if base is not None:
            facts = {fact.name: None for fact in FACTS}
            for one in names.bases(base):
                yield Match({**values, **facts, "base_digest": one["launch_digest"]}, base=one, **shown)
            return
        values |= self._facts(names, group)
        number = group.kernel_hashes
        kernels = [None] if number is None else self._once(names.kernels, number, self._sha256)
        for firmware, recorded in self._once(_builds, names, group.firmware, technology):
            values["firmware_sha256"] = firmware["sha256"]
            values["firmware_snp_baseline"] = None if firmware["sha256"] else firmware["snp_baseline"]
            launchable = hosted_verdict(vmm, hosted, firmware["distribution"]) or recorded
            for kernel in kernels:
                row_of = {**values, "kernel_hashes_sha256": kernel and kernel["table_sha256"]}
                yield Match(row_of, firmware=firmware, kernel_hashes=kernel, launchable=launchable, **shown)

    def _once(self, read: Callable[..., Any], *arguments: Any) -> Any:
        """What a function reads from the names, kept for the next lookup."""
        key = (read, *arguments)
        if (found := self._known.get(key)) is None:
            found = self._known[key] = read(*arguments)
        return found

    def _facts(self, names: Names, group: Group) -> dict[str, Any]:
        """The facts of a group's components; None for a fact that the catalog does not have."""
        found: dict[str, Any] = {}
        for fact in FACTS:
            kind, number = _KINDS[fact.component or ""], getattr(group, fact.component or "")
            text = None if number is None else names.facts(kind, number).get(fact.name)
            found[fact.name] = None if text is None else fact.kind.parse(text if fact.kind.is_text else int(text))
        return found

    def _index(self, technology: str, expected: tuple[int, int]) -> Index:
        name = technology + _INDEX
        file = self._file(name)
        index = Index(file, lambda part, offset, size: self._part(technology, part).read(offset, size))
        self._parts[technology] = {}
        self._index_files[technology] = file
        if index.technology != technology:
            raise DamagedBlock(f"{name} is the index of another technology")
        if (index.digest_size, index.parts) != expected:
            raise DamagedBlock(f"{name} is not the index that the manifest describes")
        if not index.distinguished_bits:
            self._compile_later(index, file)
        return index

    def _compile_later(self, index: Index, file: VerifiedFile) -> None:
        """After some lookups, find digests in compiled code if there is any. file: of the index."""
        left = _FEW

        def find(digest: bytes) -> list[int]:
            nonlocal left
            left -= 1
            if left <= 0:
                with self._opening:
                    if index.find is find:
                        index.find = index.find_in_python
                        self._compile(index, file)
            return index.find_in_python(digest)

        index.find = find

    def _compile(self, index: Index, file: VerifiedFile) -> None:
        from catalog.fast.compiled.compiled_find import shared_memory, use_compiled

        self._memory = self._memory or shared_memory()
        if self._memory is not None:
            use_compiled(index, file, self._parts[index.technology], self._memory, keep_parts=self._is_small())

    def _is_small(self) -> bool:
        """Whether indexes and parts fit together into what compiled code keeps in memory."""
        names = [f"{name}{_INDEX}" for name in self.indexes]
        names += [
            _part_name(name, part, index.parts) for name, index in self.indexes.items() for part in range(index.parts)
        ]
        return sum(listed_file(self._manifest, name)[1] for name in names) < _KEPT

    def _part(self, technology: str, number: int) -> VerifiedFile:
        """The Parquet file of a part, in which digests are compared in place."""
        opened = self._parts[technology]
        if number not in opened:
            with self._opening:
                if number not in opened:
                    opened[number] = self._file(_part_name(technology, number, self.indexes[technology].parts))
        return opened[number]

    def _file(self, name: str) -> VerifiedFile:
        digest, size = listed_file(self._manifest, name)
        if self._need:
            self._need(name)
            self._need(name + SUFFIX)
        file = VerifiedFile(name, digest, size, self._sha256, self._files)
        self._open.append(file)
        return file


def _part_name(technology: str, number: int, parts: int) -> str:
    suffix = f"-{number:0{len(str(parts - 1))}}" if parts > 1 else ""
    return f"{technology}/launch_digests{suffix}.parquet"


def _builds(names: Names, image: int, technology: str) -> list[Any]:
    return list(names.builds(image, technology))
