"""The inputs that occur in a catalog, read from its indexes without reading a row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from catalog.errors import VerificationFailed
from catalog.fast.names import IMAGES, PROFILES, TABLES
from catalog.fast.packed import PackedCatalog
from catalog.fast.verity import DamagedBlock
from catalog.store.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Axes:
    """A block of rows of one technology: every signature with every sev_features with every vCPU count.

    firmware: SHA-256 of the image, in hex.
    kernel_hashes: SHA-256 of the table, in hex; None: no table.
    vmm: name of the profile; None: not measured.
    signatures, features, counts: values of each axis; empty: not measured.
    """

    technology: str
    firmware: str
    kernel_hashes: str | None
    vmm: str | None
    signatures: tuple[int, ...]
    features: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def each(self) -> int:
        """Number of rows at each vCPU count."""
        return max(1, len(self.signatures)) * max(1, len(self.features))

    @property
    def rows(self) -> int:
        """Number of all rows."""
        return self.each * max(1, len(self.counts))


def read_axes(catalog: Catalog, technologies: Iterable[str]) -> list[Axes]:
    """All blocks of rows of some technologies; raises VerificationFailed if an index is damaged."""
    found = []
    try:
        packed = PackedCatalog(
            catalog.files,
            hashlib.sha256,
            catalog.manifest_sha256,
            catalog.need,
            technologies=catalog.manifest.known,
        )
        try:
            for name in technologies:
                for group in packed.indexes[name].groups() if name in packed.indexes else ():
                    table, profile = group.kernel_hashes, group.vmm
                    axes = Axes(
                        technology=name,
                        firmware=packed.component(IMAGES, group.firmware),
                        kernel_hashes=None if table is None else packed.component(TABLES, table),
                        vmm=None if profile is None else packed.component(PROFILES, profile),
                        signatures=group.signatures,
                        features=group.features,
                        counts=group.counts,
                    )
                    found.append(axes)
        finally:
            packed.close()
    except DamagedBlock as damage:
        raise VerificationFailed(f"{catalog.folder}: {damage}", "build the catalog again or fetch it anew") from damage
    return found
