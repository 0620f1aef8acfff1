"""Firmware images by what people call them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from catalog.store.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Image:
    """A firmware image, by SHA-256 in hex, and the names of its builds."""

    sha256: str
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """What people call it."""
        return ", ".join(self.names) or self.sha256


def images(wanted: Iterable[str], catalogs: Sequence[Catalog]) -> list[Image]:
    """Images by SHA-256 in hex, with the names that the first catalog has which knows them, by name."""
    found = []
    for sha256 in wanted:
        known = (catalog.firmware.get(bytes.fromhex(sha256)) for catalog in catalogs)
        rows = next((rows for rows in known if rows), [])
        found.append(Image(sha256, tuple(sorted(row["name"] for row in rows))))
    return sorted(found, key=lambda image: (not image.names, image.label))
