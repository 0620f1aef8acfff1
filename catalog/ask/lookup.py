"""Lookup: finds all configurations that have a launch digest."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from catalog.abi.digest import LaunchDigest
from catalog.abi.vcpu import VcpuSignature
from catalog.errors import LdcatError, MalformedRecord, UsageError, VerificationFailed
from catalog.fast.match import Match
from catalog.fast.names import FalseNames
from catalog.fast.packed import PackedCatalog
from catalog.fast.verity import DamagedBlock
from catalog.firmware.build import NOT_RECORDED
from catalog.imports.endorsed_facts import Base
from catalog.launch.hosted import hosted_verdict
from catalog.log.revocations import Revocations
from catalog.rows.digest_record import digest_record
from catalog.rows.endorsed_record import REPORTED
from catalog.rows.fields import RECORD, identity
from catalog.rows.launch_config import LaunchComponents
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.store.digest_parts import digest_parts, find_part
from catalog.store.index_check import check_without_rows
from catalog.store.parquet import has_pyarrow

if TYPE_CHECKING:
    from catalog.fast.index import Group, Index, Row

    Place = tuple[str, Index, int]
    """Technology of a row, its index and its ordinal there."""


def lookup(catalog: Catalog, digest: LaunchDigest, *, warn: Callable[[str], None]) -> tuple[Match, ...]:
    """Every configuration of the catalog with this digest; warns and raises as `Lookups`."""
    with closing(Lookups(catalog, warn)) as lookups:
        return lookups.lookup(digest)


class Lookups:
    """A catalog open for lookups, also by several threads; `close` it after use.

    A lookup reads the indexes; if one is damaged, it calls `warn` and reads the Parquet files instead. If a host serves
    the catalog in ranges, a lookup reads these, and if no row is found, warns that nothing proves it. From any other
    catalog whose files are fetched one by one, it reads the Parquet file that can have the digest: to check that an
    index leads to the rows would take all of them.

    A slim install reads no Parquet file. It takes what the index of a published catalog leads to, measures it again,
    and warns that nothing proves it if no row is found.
    """

    def __init__(self, catalog: Catalog, warn: Callable[[str], None]) -> None:
        self.catalog = catalog
        self._warn = warn
        self._revocations = Revocations(catalog.revocations)
        self._packed: PackedCatalog | None = None
        self._indexes: dict[int, list[tuple[str, Index]]] = {}
        self._is_checked = False
        self._reads_rows = has_pyarrow()
        has_rows = self._reads_rows and all(one.parts for one in catalog.manifest.known.values())
        if catalog.ranges or (catalog.fetcher and has_rows):
            return
        try:
            self._packed = PackedCatalog(
                catalog.files,
                hashlib.sha256,
                catalog.manifest_sha256,
                catalog.need,
                technologies=catalog.manifest.known,
            )
        except DamagedBlock as damage:
            self._give_up(damage)
        if self.quick and self._packed and (self._reads_rows or not catalog.release):
            for technology, index in self._packed.indexes.items():
                self._indexes.setdefault(index.digest_size, []).append((technology, index))

    def lookup(self, digest: LaunchDigest) -> tuple[Match, ...]:
        """Every configuration with this digest, sorted by technology, firmware and kernel name.

        Matches that the log of a published catalog revokes or deprecates say so. Raises VerificationFailed if a file
        does not match the manifest, or names a kernel or a command line that was not measured.
        """
        return self._with_revocations(self._found(digest))

    def places(self, digest: bytes) -> list[Place] | None:
        """The rows with a digest, by one search of each index. None: `lookup` has to be asked."""
        if not self._indexes:
            return None
        try:
            indexes = self._indexes.get(len(digest), ())
            return [(name, index, ordinal) for name, index in indexes for ordinal in index.find(digest)]
        except DamagedBlock:
            return None  # a lookup warns, and reads the Parquet files

    def matches(self, digest: bytes, technology: str, group: Group, row: Row) -> tuple[Match, ...]:
        """The matches of a row as `lookup` gives them. Raises VerificationFailed for damage."""
        assert self._packed is not None, "`rows` gave the row"  # noqa: S101
        try:
            found = self._packed.matches(digest, technology, group, row)
        except (DamagedBlock, FalseNames) as error:
            raise VerificationFailed(f"{self.catalog.location}: {error}") from error
        return self._with_revocations(tuple(sorted(found, key=Match.order)))

    def vcpu_types(self, signature: int | None) -> tuple[str, ...]:
        """The names of a vCPU signature in the catalog."""
        return () if signature is None else self.catalog.vcpu_types.names(VcpuSignature(signature))

    def _with_revocations(self, matches: tuple[Match, ...]) -> tuple[Match, ...]:
        for match in matches if self.catalog.revocations else ():
            if found := self._revocations.status(digest_record(match.row)):
                match.revocation = (found.severity, found.reason)
        return matches

    def lists(self, digest: bytes) -> bool:
        """Whether an index has a digest: `quick` and cheap, for many digests of which hardly any is there."""
        try:
            indexes = self._packed.indexes.values() if self._packed else ()
            return any(index.find(digest) for index in indexes if index.digest_size == len(digest))
        except DamagedBlock:
            return False  # a lookup warns, and reads the Parquet files

    @property
    def quick(self) -> bool:
        """True if a lookup takes only a few reads of the indexes: no walk, no whole file, no request."""
        fetched = self.catalog.fetcher is not None
        return (
            self._packed is not None
            and not fetched
            and not any(one.distinguished_bits for one in self._packed.indexes.values())
        )

    def forget(self) -> None:
        """Drop verified blocks from memory."""
        if self._packed:
            self._packed.forget()

    def close(self) -> None:
        """Close every file."""
        if self._packed:
            self._packed.close()

    def _found(self, digest: LaunchDigest) -> tuple[Match, ...]:
        if self.catalog.ranges:
            rows = list(self.catalog.ranges.rows(digest))
            endorsed = self.catalog.endorsements.of(digest.value)
            if not rows and all(one.endorser_scheme == REPORTED for one in endorsed):
                self._warn(f"only {self.catalog.location} says that no row has this digest: nothing proves it")
            return tuple(sorted(_all_matches(self.catalog, rows), key=Match.order))
        if packed := self._packed:
            try:
                from_rows = self.catalog.fetcher and self._reads_rows
                found = self._in_rows(digest) if from_rows else packed.lookup(digest.value)
                if self.catalog.release and not self._reads_rows:
                    self._measure_again(found, digest)
                for technology, index in packed.distinguished(digest.value).items():
                    from catalog.ask.distinguished_lookup import Walker  # few catalogs keep distinguished digests

                    found += Walker(self.catalog, packed, technology, index).lookup(digest.value)
                return tuple(sorted(found, key=Match.order))
            except FalseNames as false:
                raise self.catalog.false(manifest.NAMES, str(false)) from false
            except DamagedBlock as damage:
                self._give_up(damage)
        return lookup_in_parquet(self.catalog, digest)

    def _measure_again(self, found: Sequence[Match], digest: LaunchDigest) -> None:
        """Raises VerificationFailed for a match that does not have the digest; warns if there is none."""
        if not self._is_checked:
            check_without_rows(self.catalog)
            self._is_checked = True
        if not found:
            self._warn(f"only the index of {self.catalog.location} says that no row has this digest: nothing proves it")
        for match in found:
            if _measured(self.catalog.launch_components, match.row) != digest:
                raise VerificationFailed(
                    f"the index of {self.catalog.location} leads to a row that does not have this launch digest",
                    "the catalog was published this way; ldcat audit lists everything that is wrong",
                )

    def _in_rows(self, digest: LaunchDigest) -> list[Match]:
        """Matches of the technologies that keep rows; those with distinguished digests only are walked."""
        technologies = self.catalog.manifest.known
        return _in_parquet(self.catalog, digest, [name for name, entry in technologies.items() if entry.parts])

    def _give_up(self, damage: DamagedBlock) -> None:
        if not self._reads_rows:
            raise VerificationFailed(
                f"the index of {self.catalog.location} cannot be used: {damage}",
                "get the catalog again; ldcat with pyarrow reads the Parquet files instead",
            )
        self._warn(f"the index cannot be used, so the Parquet files are read: {damage}")


def _measured(components: LaunchComponents, row: Mapping[str, Any]) -> LaunchDigest | None:
    """The digest of a row; None if it has none."""
    try:
        return components.config(row).digest()
    except LdcatError:
        return None


def lookup_in_parquet(catalog: Catalog, digest: LaunchDigest) -> tuple[Match, ...]:
    """As `lookup`, from the Parquet files alone: the files that can have the digest are read and verified whole."""
    return tuple(sorted(_in_parquet(catalog, digest, catalog.manifest.known), key=Match.order))


def _in_parquet(catalog: Catalog, digest: LaunchDigest, technologies: Iterable[str]) -> list[Match]:
    rows = (
        row
        for technology in technologies
        if catalog.manifest.technologies[technology].digest_size == len(digest.value)
        for row in _rows(catalog, technology, digest)
    )
    return list(_all_matches(catalog, rows))


def digests_starting_with(catalog: Catalog, digits: str) -> set[bytes]:
    """The digests of rows that begin with these hex digits, at least 16. The files that can have them are read whole.

    Raises UsageError for a catalog that keeps distinguished digests only, or is served in ranges.
    """
    import pyarrow.compute as pc

    found: set[bytes] = set()
    for technology in catalog.manifest.known:
        parts = digest_parts(catalog, technology)
        if catalog.ranges or not parts:
            raise UsageError(
                f"{catalog.location} has no prefixes: it keeps only some digests, or is served in ranges",
                "use a catalog that keeps all digests, on this machine",
            )
        first = bytes.fromhex(digits[:16])
        table = find_part(parts, first).table(("launch_digest",))
        near = table.filter(pc.starts_with(table["launch_digest"].cast("binary"), pattern=first))
        found.update(one for one in near["launch_digest"].to_pylist() if one.hex().startswith(digits))
    return found


def _all_matches(catalog: Catalog, rows: Iterable[Mapping[str, Any]]) -> Iterator[Match]:
    for row in rows:
        yield from _matches(catalog, row)


def _rows(catalog: Catalog, technology: str, digest: LaunchDigest) -> Iterator[dict[str, Any]]:
    """Rows with exactly this digest, from the row groups whose range includes it."""
    parts = digest_parts(catalog, technology)
    if not parts:
        raise VerificationFailed(
            f"the index of {technology} is damaged, and the catalog has no rows of it in Parquet files",
            "build or fetch the catalog again",
        )
    import pyarrow as pa
    import pyarrow.compute as pc

    for table in find_part(parts, digest.value).groups(digests=(digest.value,)):
        wanted = pa.scalar(digest.value, table.schema.field("launch_digest").type)
        yield from table.filter(pc.equal(table["launch_digest"], wanted)).to_pylist()


def _matches(catalog: Catalog, row: Mapping[str, Any]) -> Iterator[Match]:
    """One match for each combination of names that the components of the row have."""
    signature, vmm, table = row["vcpu_signature"], row["vmm"], row["kernel_hashes_sha256"]
    shown: dict[str, Any] = {
        "vmm_title": vmm and catalog.profiles[vmm].wire.title if vmm in catalog.profiles else None,
        "vcpu_types": () if signature is None else catalog.vcpu_types.names(VcpuSignature(signature)),
    }
    values = {field.name: row[field.name] for field in RECORD}
    bases, firmware = catalog.bases.get(row["base_digest"], []), catalog.firmware.get(identity(row), [])
    kernels: list[Any] = [None] if table is None else catalog.kernel_hashes.get(table, [])
    if not (bases or (firmware and kernels)) or (vmm is not None and vmm not in catalog.profiles):
        raise MalformedRecord("the catalog has a row whose components it does not list")
    for base in bases:
        yield Match(values, base=shown_base(base), **shown)
    recorded = {"verdict": NOT_RECORDED.verdict, "reason": NOT_RECORDED.reason, "source": NOT_RECORDED.source}
    for build, kernel in () if bases else itertools.product(firmware, kernels):
        found = catalog.launchable.get((build["name"], row["technology"]), recorded)
        hosted = vmm and hosted_verdict(vmm, catalog.profiles[vmm].wire.hosted, build["distribution"])
        launchable = hosted or (found["verdict"], found["reason"], found["source"])
        yield Match(values, firmware=build, kernel_hashes=kernel, launchable=launchable, **shown)


def shown_base(base: Base) -> Mapping[str, Any]:
    """A base as Match has it."""
    return {
        "name": base.label,
        "launch_digest": base.digest,
        "vcpus": base.vcpus,
        "endorser": {name: getattr(base.endorser, name) for name in ("scheme", "id", "feed", "svn")},
    }
