"""Names of firmware images, for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from catalog.store.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Image:
    """A firmware image. sha256: hex. names: those of its builds."""

    sha256: str
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """Its names, or its SHA-256 if it has none."""
        return ", ".join(self.names) or self.sha256


def images(wanted: Iterable[str], catalogs: Sequence[Catalog]) -> list[Image]:
    """The images with these SHA-256 in hex, ordered by name. Names are from the first catalog that has the image."""
    found = []
    for sha256 in wanted:
        known = (catalog.firmware.get(bytes.fromhex(sha256)) for catalog in catalogs)
        rows = next((rows for rows in known if rows), [])
        found.append(Image(sha256, tuple(sorted(row["name"] for row in rows))))
    return sorted(found, key=lambda image: (not image.names, image.label))
