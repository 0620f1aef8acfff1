"""Flattens nested records, for tables and to compare records."""

from __future__ import annotations

from _collections_abc import Mapping  # collections.abc, without loading collections

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one mapping, names joined by dots; elements of lists joined by blanks."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = " ".join(map(str, value)) if isinstance(value, list) else value
    return found
