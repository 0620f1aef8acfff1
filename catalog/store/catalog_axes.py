"""The inputs that occur in a catalog, read from its indexes without reading a row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from catalog.errors import VerificationFailed
from catalog.fast.names import PROFILES, TABLES
from catalog.fast.packed import PackedCatalog
from catalog.fast.verity import DamagedBlock
from catalog.store.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Axes:
    """A block of rows of one technology: every signature with every sev_features with every vCPU count.

    identity: what identifies the image or the base, in hex: a SHA-256, or an SNP launch digest.
    is_base: whether it is a base.
    kernel_hashes: SHA-256 of the table, in hex; None: no table.
    vmm: name of the profile; None: not measured.
    signatures, features, counts: values of each axis; empty: not measured.
    """

    technology: str
    identity: str
    is_base: bool
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
                    *image, base = packed.identity(group)
                    axes = Axes(
                        technology=name,
                        identity=base or next((key for key in image if key), ""),
                        is_base=base is not None,
                        kernel_hashes=None if table is None else packed.component(name, TABLES, table),
                        vmm=None if profile is None else packed.component(name, PROFILES, profile),
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
