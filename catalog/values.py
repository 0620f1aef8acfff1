"""Value, a frozen class with named fields, and closed sets of texts and numbers: as dataclasses and enum make them.

Importing either of these takes longer than a lookup.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from enum import IntEnum as IntEnum
    from enum import StrEnum as StrEnum
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


if not TYPE_CHECKING:

    class _Closed(type):
        """The type of closed sets: names in capitals become members."""

        def __new__(cls, name, bases, body):
            """A set, of which each value is one object."""
            values = {key: value for key, value in body.items() if key.isupper()}
            made = super().__new__(cls, name, bases, {key: body[key] for key in body.keys() - values.keys()})
            made.__members__ = {}
            made._by_value = {}
            for key, value in values.items():
                member = bases[0].__new__(made, value)
                member.name, member.value = key, value
                setattr(made, key, member)
                made.__members__[key] = made._by_value[value] = member
            return made

        def __call__(cls, value):
            """The member with a value; raises ValueError if there is none."""
            if value in cls._by_value:
                return cls._by_value[value]
            raise ValueError(f"{value!r} is not a valid {cls.__name__}")

        def __getitem__(cls, name):
            return cls.__members__[name]

        def __iter__(cls):
            return iter(cls.__members__.values())

        def __len__(cls):
            return len(cls.__members__)

    class StrEnum(str, metaclass=_Closed):
        """A closed set of texts, as StrEnum."""

        def __reduce_ex__(self, protocol):
            return type(self), (self.value,)

        def __repr__(self):
            return f"<{type(self).__name__}.{self.name}: {self.value!r}>"

        def __str__(self):
            return self.value

    class IntEnum(int, metaclass=_Closed):
        """A closed set of numbers, as IntEnum."""

        __reduce_ex__ = StrEnum.__reduce_ex__
        __repr__ = StrEnum.__repr__

        def __str__(self):
            return str(self.value)
