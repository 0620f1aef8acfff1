"""Value: its fields, defaults, equality, and that it is frozen."""

from __future__ import annotations

import copy
import enum
import json
import pickle
from typing import Any, ClassVar

import pytest

from catalog import values
from catalog.values import Value, replace


class Pair(Value):
    left: int
    right: int = 2
    KIND: ClassVar[str] = "pair"

    def __post_init__(self) -> None:
        if self.left < 0:
            raise ValueError("negative")


class Other(Value):
    left: int
    right: int = 2


def test_fields_in_order_by_name_and_by_default() -> None:
    assert Pair.FIELDS == ("left", "right")
    assert [(one.left, one.right) for one in (Pair(1), Pair(1, 3), Pair(right=4, left=1))] == [(1, 2), (1, 3), (1, 4)]
    assert repr(Pair(1)) == "Pair(left=1, right=2)"


@pytest.mark.parametrize(
    ("given", "named"), [((), {}), ((1, 2, 3), {}), ((1,), {"left": 1}), ((1,), {"middle": 3}), ((), {"right": 1})]
)
def test_missing_unknown_and_repeated_fields(given: tuple[int, ...], named: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"^Pair has the fields left, right$"):
        Pair(*given, **named)


def test_equality_and_hash() -> None:
    assert Pair(1) == Pair(1, 2) != Pair(1, 3)
    assert Pair(1) != Other(1)
    assert Pair(1) != (1, 2)
    assert {Pair(1), Pair(1, 2), Pair(2)} == {Pair(1), Pair(2)}
    assert pickle.loads(pickle.dumps(Pair(1, 3))) == Pair(1, 3)


def test_frozen() -> None:
    pair = Pair(1)
    with pytest.raises(AttributeError, match=r"^Pair is frozen: left cannot be set$"):
        pair.left = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match=r"^Pair is frozen: left cannot be deleted$"):
        del pair.left
    assert replace(pair, right=5) == Pair(1, 5)
    with pytest.raises(ValueError, match=r"^negative$"):
        replace(pair, left=-1)
    with pytest.raises(TypeError):
        replace(pair, middle=1)


class Real(enum.StrEnum):
    ONE = "1"
    TWO = "two"


class Light(values.StrEnum):
    ONE = "1"
    TWO = "two"

    @property
    def shown(self) -> str:
        return self.upper()


class RealNumber(enum.IntEnum):
    ONE = 1
    SIX = 6


class LightNumber(values.IntEnum):
    ONE = 1
    SIX = 6


@pytest.mark.parametrize(("light", "real"), [(Light, Real), (LightNumber, RealNumber)])
def test_a_closed_set_is_as_one_of_enum(light: Any, real: Any) -> None:
    assert len(light) == len(real) == 2
    assert list(light.__members__) == list(real.__members__)
    for one, other in zip(light, real, strict=True):
        assert (one, one.name, one.value) == (other, other.name, other.value)
        assert (str(one), f"{one}", hash(one)) == (str(other), f"{other}", hash(other))
        assert repr(one).replace("Light", "Real") == repr(other)
        assert one is light(one.value) is light(one) is light[one.name] is getattr(light, one.name)
        assert pickle.loads(pickle.dumps(one)) is copy.deepcopy(one) is one
        assert isinstance(one, light)
        assert json.dumps({one: one}) == json.dumps({other: other})
    with pytest.raises(ValueError, match=f"^'x' is not a valid {light.__name__}$"):
        light("x")
    with pytest.raises(KeyError):
        light["x"]


def test_a_closed_set_has_its_own_properties() -> None:
    assert Light.TWO.shown == "TWO"
    assert [one.shown for one in Light] == ["1", "TWO"]
