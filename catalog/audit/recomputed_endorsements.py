"""Compares endorsed digests with rows: does a digest follow from the firmware and the number of vCPUs that it claims.

Only what the catalog lists is compared. A digest may be of a VMM, a vCPU signature or a kernel that the catalog does
not list, so nothing is contradicted if no row has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from catalog.imports.endorsed_facts import Claims
from catalog.launch.technology import technologies
from catalog.rows.endorsed_record import EndorsedRecord
from catalog.store.catalog import Catalog
from catalog.store.digest_parts import row_tables

if TYPE_CHECKING:
    import pyarrow as pa

_IMAGE = ("firmware_sha256", "firmware_snp_baseline")
"""The columns of which one identifies the image of a row."""

_COLUMNS = ("launch_digest", *_IMAGE, "kernel_hashes_sha256", "vmm", "vcpus")

Row = Mapping[str, Any]


@dataclass(slots=True)
class Recomputed:
    """What rows say about an endorsed digest.

    firmware: names of the catalogued builds that it claims; empty if it claims none.
    compared: rows with this firmware and number of vCPUs, and with the kernel and initrd if it claims them.
    same: rows with its digest.
    """

    record: EndorsedRecord
    firmware: tuple[str, ...] = ()
    compared: list[Row] = field(default_factory=list)
    same: list[Row] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether a row with everything that is claimed has the digest."""
        return any(row["launch_digest"].hex() == self.record.launch_digest for row in self.compared)

    @property
    def other_counts(self) -> list[int | None]:
        """vCPU counts of the rows with its digest, if none of them is the claimed one."""
        claimed = self.record.claims.vcpus
        counts = {row["vcpus"] for row in self.same}
        return [] if claimed is UNSET or claimed in counts else sorted(counts, key=lambda count: count or 0)

    def scope(self) -> str:
        """What was compared: how many rows, and under which VMM profiles."""
        vmms = sorted({row["vmm"] for row in self.compared if row["vmm"] is not None})
        under = f", under {', '.join(vmms)}" if vmms else ""
        return f"{len(self.compared):,} rows of {', '.join(self.firmware)} with {self.record.claims.vcpus} vCPUs{under}"


def recompute_endorsements(catalog: Catalog, records: Iterable[EndorsedRecord]) -> list[Recomputed]:
    """Compare endorsed digests with the rows of a catalog.

    Raises as `row_tables`, and as the components of the catalog.
    """
    found = []
    for technology in catalog.manifest.known:
        wanted = _Wanted(catalog)
        found += [wanted.add(record) for record in records if record.technology == technology]
        if wanted.by_digest:
            for table in row_tables(catalog, technology, _COLUMNS):
                wanted.compare(table)
    return found


class _Wanted:
    """Endorsed digests of one technology, by what rows are searched for: the digest; image and number of vCPUs."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._components = [build.component for build in catalog.builds.values()]
        self.by_digest: dict[bytes, list[Recomputed]] = {}
        self._by_point: dict[tuple[bytes, int | None], list[tuple[Recomputed, Claims]]] = {}

    def add(self, record: EndorsedRecord) -> Recomputed:
        """Compare this one, too."""
        facts = record.facts
        images = self._claimed_images(record.technology, facts.claims)
        names = {str(row["name"]) for image in images for row in self._catalog.firmware[image]}
        made = Recomputed(record, tuple(sorted(names)))
        self.by_digest.setdefault(facts.digest, []).append(made)
        for image in images:
            self._by_point.setdefault((image, facts.claims.vcpus), []).append((made, facts.claims))
        return made

    def compare(self, table: pa.Table) -> None:
        """Compare with the rows of a table."""
        for row in self._candidates(table):
            for one in self.by_digest.get(row["launch_digest"], ()):
                one.same.append(row)
            image = next((row[name] for name in _IMAGE if row[name] is not None), b"")
            for one, claims in self._by_point.get((image, row["vcpus"]), ()):
                if self._has_kernel(row, claims):
                    one.compared.append(row)

    def _claimed_images(self, technology: str, claims: Claims) -> frozenset[bytes]:
        """Keys of the catalogued images that have every firmware hash that is claimed; none if none is claimed."""
        hashes = {"sha256": claims.firmware_sha256, "sha384": claims.firmware_sha384}
        given = {name: value for name, value in hashes.items() if value is not None}
        if not given or (claims.vcpus is None and technologies()[technology].measures_vcpus):
            return frozenset()
        return frozenset(
            one.key for one in self._components if all(getattr(one, name) == value for name, value in given.items())
        )

    def _candidates(self, table: pa.Table) -> Iterator[Row]:
        """Rows that may be wanted: with one of the digests, or with one of the images and numbers of vCPUs."""
        import pyarrow as pa
        import pyarrow.compute as pc

        def among(name: str, values: Iterable[Any]) -> Any:
            column = table[name].combine_chunks()
            return pc.is_in(column, value_set=pa.array(list(dict.fromkeys(values)), column.type))

        of_image = pc.or_(*(among(name, (image for image, _ in self._by_point)) for name in _IMAGE))
        of_point = pc.and_(of_image, among("vcpus", (vcpus for _, vcpus in self._by_point)))
        yield from table.filter(pc.or_(among("launch_digest", self.by_digest), of_point)).to_pylist()

    def _has_kernel(self, row: Row, claims: Claims) -> bool:
        """Whether a row has the kernel and the initrd that are claimed, if they are."""
        if claims.kernel_sha256 is None and claims.initrd_sha256 is None:
            return True
        table = row["kernel_hashes_sha256"]
        if table is None:
            return False
        hashes = self._catalog.tables[table.hex()]
        return claims.kernel_sha256 in (None, hashes.kernel) and claims.initrd_sha256 in (None, hashes.initrd)
