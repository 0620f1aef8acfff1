"""A digest record without msgspec, which takes longer to load than a proof to verify."""

from __future__ import annotations

from catalog.rows.fields import IDENTITY, RECORD
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_NUMBER_LIMIT = 1 << 53
_NEEDED = tuple(field for field in RECORD if not field.optional)
_OPTIONAL = tuple(field for field in RECORD if field.optional)
_NAMES = {"type", *(field.name for field in RECORD)}


class PlainRow(Value):
    """As DigestRecord. values: of its fields by name, with None for an optional field that it lacks."""

    values: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        if name in _NAMES:
            return self.values[name]
        raise AttributeError(name)

    @classmethod
    def of(cls, record: object) -> PlainRow | None:
        """The record in a JSON object; None if it is not one, or not a usual one."""
        if not isinstance(record, dict) or record.get("type") != "digest" or not record.keys() <= _NAMES:
            return None
        for field in RECORD:
            if field.name not in record:
                if not field.optional:
                    return None
                continue
            value = record[field.name]
            is_valid = isinstance(value, str) if field.kind.is_text else _is_number(value)
            if not is_valid and (value is not None or field.optional or not field.nullable):
                return None
        found = {name: record.get(name) for name in _NAMES}
        if sum(found[name] is not None for name in IDENTITY) != 1:
            return None
        return cls(found)

    def to_dict(self) -> dict[str, Any]:
        """The fields in the order of DigestRecord, without optional ones that it lacks."""
        names = ["type", *(field.name for field in _NEEDED)]
        return {name: self.values[name] for name in names} | {
            field.name: self.values[field.name] for field in _OPTIONAL if self.values[field.name] is not None
        }


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < _NUMBER_LIMIT
