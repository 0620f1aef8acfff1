"""The rows of a catalog as tables of the columns that leaves contain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from catalog.errors import UsageError
from catalog.store.digest_parts import digest_parts
from catalog.store.manifest import CatalogFiles

if TYPE_CHECKING:
    import pyarrow as pa

    Tables = Iterator[pa.Table]


def catalog_tables(catalog: CatalogFiles) -> Tables:
    """Yield at most 65,536 rows at a time. Raises UsageError for distinguished digests, and as DigestPart."""
    for name, entry in catalog.manifest.technologies.items():
        if not entry.parts and entry.rows:
            raise UsageError(f"the catalog has distinguished {name} digests only", "publish one that has every row")
        for part in digest_parts(catalog, name):
            data = catalog.verified(part.name)
            from catalog.log.row_leaves import COLUMNS, ENCODED  # and pyarrow: another thread reads meanwhile

            groups = part.groups(COLUMNS, data=data, encoded=ENCODED)
            del data  # else it is there while the next part is read
            yield from groups
