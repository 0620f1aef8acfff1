"""Value: a frozen class with named fields, as a frozen dataclass; importing dataclasses takes longer than a lookup."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, TypeVar, dataclass_transform

    Kind = TypeVar("Kind", bound="Value")
else:

    def dataclass_transform(**_):
        """As `typing.dataclass_transform`, which only type checkers need."""
        return lambda kind: kind


@dataclass_transform(frozen_default=True)
class Value:
    """A base of classes whose annotated names are fields, in order; one with a default may be left out.

    Values of one class are equal, and have the same hash, if their fields are. `__post_init__` can check the fields.
    Raises TypeError for a missing or unknown field, AttributeError if a field is set later.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ()
    _ALL: ClassVar[frozenset[str]]
    _NEEDED: ClassVar[frozenset[str]]

    def __init_subclass__(cls) -> None:
        cls.FIELDS = tuple(name for name, kind in cls.__annotations__.items() if not kind.startswith("ClassVar"))
        cls._ALL = frozenset(cls.FIELDS)
        cls._NEEDED = frozenset(name for name in cls.FIELDS if not hasattr(cls, name))

    def __init__(self, *given: Any, **named: Any) -> None:
        values = self.__dict__
        values.update(zip(self.FIELDS, given, strict=False), **named)
        if len(values) != len(given) + len(named) or not self._NEEDED <= values.keys() <= self._ALL:
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(self.FIELDS)}")
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check the fields."""

    def _key(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.FIELDS)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and type(other) is type(self) and other._key() == self._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self.FIELDS)
        return f"{type(self).__name__}({', '.join(shown)})"


def replace(value: Kind, /, **changes: Any) -> Kind:
    """A value with other fields, as `dataclasses.replace`."""
    return type(value)(**{**{name: getattr(value, name) for name in value.FIELDS}, **changes})
