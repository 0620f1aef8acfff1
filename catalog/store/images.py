"""Names of firmware images and bases, for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from catalog.store.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Image:
    """A firmware image, or a base. key: what identifies it, in hex. names: those of its builds, or of the base."""

    key: str
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """Its names, or its key if it has none."""
        return ", ".join(self.names) or self.key


def images(wanted: Iterable[str], catalogs: Sequence[Catalog]) -> list[Image]:
    """The images and bases with these keys, ordered by name. Names are from the first catalog that has the key."""
    found = []
    for key in wanted:
        known = (_names(catalog, bytes.fromhex(key)) for catalog in catalogs)
        found.append(Image(key, next((names for names in known if names), ())))
    return sorted(found, key=lambda image: (not image.names, image.label))


def _names(catalog: Catalog, key: bytes) -> tuple[str, ...]:
    """The names of an image or a base, in order; none if the catalog does not have it."""
    builds = (row["name"] for row in catalog.firmware.get(key, ()))
    return tuple(sorted([*builds, *(base.label for base in catalog.bases.get(key, ()))]))
