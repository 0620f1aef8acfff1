"""Packs: what they contain is found again, and everything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import MalformedInput
from catalog.log.file_pack import MAX_FILES, format_pack, leaf_name, pack_path, pack_size, parse_pack

PATHS = st.text("abcdefghijklmnopqrstuvwxyz0123456789._/-", min_size=1, max_size=30).filter(
    lambda path: not path.startswith("leaf/")
)


@given(st.dictionaries(PATHS, st.binary(max_size=200)), st.dictionaries(st.integers(0, 2**63), st.binary(max_size=50)))
def test_files_and_leaves_are_found_again(files: dict[str, bytes], leaves: dict[int, bytes]) -> None:
    packed = format_pack([*files.items(), *((leaf_name(index), leaf) for index, leaf in leaves.items())])
    assert parse_pack(packed) == (files, leaves)


@given(st.binary(max_size=300))
def test_anything_may_be_read(data: bytes) -> None:
    for begin in (b"", b"ldcat-pack/1\n"):
        try:
            files, leaves = parse_pack(begin + data)
        except MalformedInput:
            continue
        assert sum(map(len, [*files.values(), *leaves.values()])) <= len(data)


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"<!DOCTYPE html>\n<title>not here</title>\n\n",
        b"ldcat-pack/2\n\n",
        b"ldcat-pack/1\n1 a\n",
        b"ldcat-pack/1\n1 a\n\n",
        b"ldcat-pack/1\n1 a\n\nxy",
        b"ldcat-pack/1\n1 a\n1 a\n\nxx",
        b"ldcat-pack/1\n-1 a\n\n",
        b"ldcat-pack/1\n01 a\n\nx",
        b"ldcat-pack/1\n1\n\nx",
        b"ldcat-pack/1\n1 leaf/01\n\nx",
        b"ldcat-pack/1\n+1 a\n\nx",
        b"ldcat-pack/1\n1_0 a\n\n0123456789",
        b"ldcat-pack/1\n" + b"9" * 9 + b" a\n\n",
        b"ldcat-pack/1\n a\n\n",
        b"ldcat-pack/1\n1 \xff\n\nx",
        b"ldcat-pack/1\n1 leaf/-1\n\nx",
        b"ldcat-pack/1\n1 leaf/" + b"1" * 20 + b"\n\nx",
        b"ldcat-pack/1\n1 leaf/\xb2\n\nx",
        b"ldcat-pack/1\n" + b"".join(b"0 %d\n" % number for number in range(MAX_FILES + 1)) + b"\n",
    ],
)
def test_other_bytes_are_refused(packed: bytes) -> None:
    with pytest.raises(MalformedInput):
        parse_pack(packed)


@given(st.integers(1, 10**18 - 1))
def test_a_path_says_for_which_checkpoint_its_pack_is(size: int) -> None:
    assert pack_size(pack_path(size)) == size


@pytest.mark.parametrize(
    "path",
    ["pack", "pack/", "pack/0", "pack/07", "pack/-1", "pack/a", "pack/1/2", "1", "/1", "pack/\xb2", f"pack/{10**19}"],
)
def test_no_other_path_is_that_of_a_pack(path: str) -> None:
    assert pack_size(path) is None
