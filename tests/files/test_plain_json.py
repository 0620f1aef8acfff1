"""Plain JSON: what it reads and writes is what `json` does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.files.plain_json import NotPlain, canonical_json, read_plain_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
TEXTS = st.one_of(
    st.text(alphabet='{}[]":,0123456789.eE-+ntrufalse \\\n\t', max_size=20).map(str.encode),
    st.binary(max_size=12),
    VALUES.map(json.dumps).map(str.encode),
    VALUES.map(lambda value: json.dumps(value, indent=1).encode()),
)


@given(VALUES | st.floats())
def test_it_writes_as_json(value: Any) -> None:
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    assert canonical_json(value) == written


@given(VALUES)
def test_it_reads_what_it_writes(value: Any) -> None:
    data = canonical_json(value)
    assert read_plain_json(data) == read_plain_json(data + b"\n") == value


@given(TEXTS)
def test_what_it_reads_is_what_json_reads(data: bytes) -> None:
    try:
        value = read_plain_json(data)
    except NotPlain:
        return
    assert json.loads(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b" 1",
        b"1 ",
        b"1\n\n",
        b'{"a":1,"a":1}',
        b'[{"a":1,"b":{"c":1,"c":2}}]',
        b"1.0",
        b"1e3",
        b"NaN",
        b"-Infinity",
        b"[" * 100_000,
        b"1" * 5_000,
        '"\u2014"'.encode(),
        b'"\xff"',
        b'"\n"',
        b'"\\x"',
        b"{",
        b'{"a"}',
        b"[1,]",
    ],
)
def test_what_it_does_not_read(data: bytes) -> None:
    with pytest.raises(NotPlain):
        read_plain_json(data)


def test_what_has_no_json() -> None:
    with pytest.raises(TypeError):
        canonical_json({"a": b""})


def test_invalid_text_without_json_loaded() -> None:
    code = (
        "import sys; from catalog.files.plain_json import NotPlain, read_plain_json\n"
        "for data in (b'{', b'[1,]', b'\"\\\\x\"', b'', b'x'):\n"
        "    try: read_plain_json(data)\n"
        "    except NotPlain: print(data)\n"
        "assert 'json' not in sys.modules\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert len(done.stdout.splitlines()) == 5
