"""JSON as it is printed: the writer of documents writes what json.dumps does."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from catalog.terminal.json_text import json_document, json_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["\x7f", "\x1b[0m", "é"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.lists(inner).map(tuple),
)


@given(VALUES)
def test_a_document_is_what_json_writes(value: object) -> None:
    expected = json.dumps(value, indent=2).replace("\x7f", "\\u007f")
    assert json_document(value) == json_text(value, indent=2) == expected


def test_keys_that_are_no_text_and_subclasses() -> None:
    class Name(str):
        __slots__ = ()

    values: list[object] = [{1: 2, None: [3]}, {"a": {True: []}}, [Name("x"), True, 1.5, {}], {}, [], ()]
    for value in values:
        assert json_document(value) == json.dumps(value, indent=2)
