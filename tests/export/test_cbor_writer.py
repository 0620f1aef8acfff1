"""The CBOR writer against our strict reader, and against cbor2."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.export.writers.cbor_writer import encode
from catalog.imports.cbor import Tagged, decode

NUMBERS = st.integers(-(1 << 64), (1 << 64) - 1)
SCALARS = st.booleans() | st.none() | NUMBERS | st.binary(max_size=300) | st.text(max_size=40)
TAGS = st.integers(0, (1 << 64) - 1)


def _values(*keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Data items; the keys of a map are all from one of the strategies."""
    return st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.one_of([st.dictionaries(one, inner, max_size=6) for one in keys])
            | st.builds(Tagged, TAGS, inner)
        ),
        max_leaves=12,
    )


def _for_cbor2(value: Any) -> Any:
    if isinstance(value, Tagged):
        return cbor2.CBORTag(value.tag, _for_cbor2(value.value))
    if isinstance(value, dict):
        return {key: _for_cbor2(one) for key, one in value.items()}
    return list(map(_for_cbor2, value)) if isinstance(value, list) else value


@given(_values(NUMBERS | st.text(max_size=30) | st.binary(max_size=30)))
def test_what_is_written_is_read_and_is_the_only_form(value: Any) -> None:
    data = encode(value)
    assert decode(data, "x") == value
    assert encode(decode(data, "x")) == data


@given(
    _values(st.integers(0, (1 << 64) - 1), st.integers(-(1 << 64), -1), st.text(max_size=30), st.binary(max_size=30))
)
def test_cbor2_writes_the_same_bytes(value: Any) -> None:
    # cbor2 sorts keys by length first, as RFC 7049 did: the same order among keys of one major type
    assert encode(value) == cbor2.dumps(_for_cbor2(value), canonical=True)


@given(st.dictionaries(NUMBERS | st.text(max_size=9) | st.binary(max_size=9), NUMBERS, max_size=8))
def test_the_order_in_which_a_map_was_made_does_not_matter(value: dict[Any, int]) -> None:
    assert encode(value) == encode(dict(reversed(value.items())))


def test_keys_are_sorted_by_their_encoded_bytes() -> None:
    # the example of RFC 8949, 4.2.1, with the keys that are used here
    assert encode({"aa": 4, -1: 2, "z": 3, 100: 1, 10: 0}).hex() == "a50a001864012002617a0362616104"


@pytest.mark.parametrize(
    "value", [1.0, bytearray(b"x"), (1, 2), {1, 2}, {1.0: 1}, {True: 1}, {None: 1}, {(1,): 1}, [object()]]
)
def test_any_other_type_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="CBOR"):
        encode(value)


@pytest.mark.parametrize(
    "value", [1 << 64, -(1 << 64) - 1, Tagged(1 << 64, 0), Tagged(-1, 0), [{1: 1 << 64}], "\udc80"]
)
def test_what_has_no_encoding_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"64 bits|surrogates"):
        encode(value)
