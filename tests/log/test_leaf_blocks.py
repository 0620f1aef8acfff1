"""Leaves read many at once are those that are read one by one: the same hashes, records and errors, in this order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import LdcatError, MalformedRecord
from catalog.files.plain_json import canonical_json
from catalog.log.leaf_texts import is_row
from catalog.log.leaves import group_table, leaf_code
from catalog.log.leaves.leaf_block import Leaf, LeafBlock
from catalog.log.leaves.read_leaves import log_parts, parse_entry
from catalog.log.leaves.row_text import take_apart
from catalog.log.records import parse_record
from catalog.transparency import merkle
from catalog.transparency.tiles import WIDTH
from tests.support.log_rows import CODE, ROW, row
from tests.support.logs import MemoryLog

REVOKE = canonical_json({"reason": "r", "selector": {"vcpus": 2}, "severity": "revoked", "type": "revoke"})
NOWHERE = Path("no folder")
"""For leaves that are read ahead, but not from the files of a folder."""

LATER = canonical_json({"type": "later"})


def one_by_one(log: MemoryLog, first: int, *, rows: bool) -> Iterator[Leaf]:
    """The definition."""
    reader = log.reader
    bundle: list[bytes] = []
    for index in range(first, log.size):
        if index == first or index % WIDTH == 0:
            bundle = reader.entries(index // WIDTH)
        text = bundle[index % WIDTH]
        record = parse_entry(reader, index, text) if rows or not is_row(text) else None
        yield Leaf(index, text, merkle.leaf_hash(text), record)


def at_once(log: MemoryLog, first: int, *, rows: bool, root: Path | None = None) -> Iterator[Leaf]:
    for part in log_parts(log.reader, first, log.size, rows=rows, root=root):
        yield from part.leaves() if isinstance(part, LeafBlock) else (part,)


def seen(leaves: Iterator[Leaf]) -> tuple[list[Leaf], str]:
    """The leaves up to an error, and the error."""
    found = []
    try:
        for leaf in leaves:
            found.append(leaf)  # noqa: PERF402
    except LdcatError as error:
        return found, f"{type(error).__name__}: {error} ({error.hint})"
    return found, ""


def check_same(leaves: list[bytes], first: int = 0) -> MemoryLog:
    log = MemoryLog()
    log.append(leaves)
    for rows in (True, False):
        expected = seen(one_by_one(log, first, rows=rows))
        for lib in CODE:
            with patch.object(leaf_code, "lib", lib):
                assert seen(at_once(log, first, rows=rows)) == expected
                assert log.size < 5000 or seen(at_once(log, first, rows=rows, root=NOWHERE)) == expected
    return log


def edited(leaf: bytes, old: str, new: str) -> bytes:
    assert leaf.count(old.encode()) == 1
    return leaf.replace(old.encode(), new.encode())


HOSTILE = [
    *(row(vcpus=count) for count in (0, 1, 65535, 65536, 10**6, -1, 2.0, True, "2", None)),
    *(
        edited(row(), '"vcpus":2', f'"vcpus":{text}')
        for text in ("02", "2e0", "+2", " 2", "2 ", "", "2,3", "nul", "[2]")
    ),
    *(row(launch_digest=text) for text in ("ab", "CD" * 48, "cd" * 47, "cd" * 32, "cg" * 48, "", None, "é" * 96, 3)),
    *(edited(row(), '"launch_digest":"cd', f'"launch_digest":{text}cd') for text in ("", '"\\u0063', '\\"', '"\\"')),
    row(vmm='"launch_digest":"' + "cd" * 48 + '","vcpus":7'),
    row(firmware_sha256='"launch_digest":"' + "cd" * 48 + '","vcpus":7,'),
    row(firmware_sha256='\\"launch_digest\\":\\"' + "cd" * 48 + '"'),
    row(sev_features='"vcpus":9,', vcpus=3),
    row(technology='"vcpus":null', vcpus=3),
    row(vmm='{"type":"digest"'),
    row(vmm="a{"),
    row(vmm="\\"),
    row(vmm="\x7f\u2028\U0001f600\ud800"),
    row(base_digest="ab" * 48, firmware_sha256=None),
    row(base_digest="ab" * 48),
    row(firmware_sha256=None),
    row(technology="later"),
    row(technology=None),
    row(another=1),
    row(type="row"),
    row(type="endorsed"),
    json.dumps(ROW).encode(),
    json.dumps(dict(reversed(ROW.items())), separators=(",", ":")).encode(),
    row()[:-1],
    row() + b" ",
    row() + row(),
    row().replace(b"qemu", b"q\xffmu"),
    row().replace(b"qemu", b"q\0mu"),
    row().replace(b'"vmm"', b'"launch_digest":"' + b"ab" * 48 + b'","vmm"'),
    row().replace(b'"vmm"', b'"vcpus":7,"vmm"'),
    b"",
    b"{",
    b'"launch_digest":"',
    b'"launch_digest":"' + b"ab" * 48,
    b'"launch_digest":"' + b"ab" * 48 + b'""vcpus":',
    b'"launch_digest":"' + b"ab" * 48 + b'""vcpus":2',
    b'"launch_digest":"' + b"ab" * 48 + b'""vcpus":2,"type":"digest"',
    REVOKE,
    LATER,
]


@pytest.mark.parametrize("leaf", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_leaf_between_rows_is_read_as_by_itself(leaf: bytes) -> None:
    check_same([row(vcpus=3), leaf, row(vcpus=4)])
    check_same([leaf, leaf])


def test_quotes_in_strings_are_no_key() -> None:
    """The names of keys with their quotes are nowhere but where the keys are: what is cut out is what is parsed."""
    for leaf in HOSTILE:
        apart = take_apart(leaf)
        try:
            record = parse_record(leaf)
        except MalformedRecord:
            continue
        if apart and is_row(leaf):
            values = (getattr(record, "launch_digest", None), getattr(record, "vcpus", None))
            assert values == (apart.digest.hex(), None if apart.vcpus < 0 else apart.vcpus)


TEXT = st.one_of(
    st.text(max_size=3), st.sampled_from(['"launch_digest":"', '"vcpus":3,', "{", '"type":"digest"', "\\"])
)
RANDOM_ROW = st.builds(
    row,
    launch_digest=st.one_of(st.binary(min_size=32, max_size=32), st.binary(min_size=48, max_size=48)).map(bytes.hex),
    vcpus=st.one_of(st.none(), st.integers(-1, 66000)),
    vmm=st.one_of(st.sampled_from(["a", "b"]), st.lists(TEXT, max_size=3).map("".join)),
    technology=st.one_of(st.just("sev-snp"), TEXT),
)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A row with some bytes replaced, removed, or added."""
    leaf = bytearray(draw(RANDOM_ROW))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(leaf)))
        leaf[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from([b"", b'"', b"0", b"a", b"\\", b"{", b",", b"\xff"])
        )
    return bytes(leaf)


@given(st.lists(st.one_of(RANDOM_ROW, RANDOM_ROW, changed(), st.sampled_from([REVOKE, LATER, row()])), max_size=20))
def test_random_leaves_are_read_as_one_by_one(leaves: list[bytes]) -> None:
    check_same(leaves)


def test_many_rows_are_few_blocks_from_anywhere_on(monkeypatch: pytest.MonkeyPatch) -> None:
    leaves = [row(vcpus=n % 4000, vmm="ab"[n % 2], launch_digest=f"{n:0{64 + n % 2 * 32}x}") for n in range(5200)]
    leaves[2600:2600] = [LATER]
    for first in (0, 1, 255, 256, 2600, 5199):
        log = check_same(leaves, first)
    blocks = [part for part in log_parts(log.reader, 0, log.size, rows=True) if isinstance(part, LeafBlock)]
    assert len(blocks) < 10
    assert all(len(block.table) == 2 for block in blocks)
    assert all(block.ascends() == (list(block.entries) == sorted(set(block.entries))) for block in blocks)
    assert not all(block.ascends() for block in blocks)


def test_a_table_of_groups_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many groups a hostile log has, and however long they are."""
    leaves = [row(vmm=str(n)) for n in range(50)]
    monkeypatch.setattr(group_table, "MOST_GROUPS", 8)
    log = check_same(leaves)
    parts = list(log_parts(log.reader, 0, log.size, rows=True))
    assert {len(part.table) for part in parts if isinstance(part, LeafBlock)} == {8, 2}
    monkeypatch.setattr(group_table, "_MOST_TEXT", 3 * len(leaves[-1]))
    log = check_same(leaves)
    parts = list(log_parts(log.reader, 0, log.size, rows=True))
    assert max(len(part.table) for part in parts if isinstance(part, LeafBlock)) == 4


def test_leaves_before_a_missing_bundle_are_read() -> None:
    log = check_same([row(vcpus=n) for n in range(6000)])
    del log.files["tile/entries/020"]
    for root in (None, NOWHERE):
        found, why = seen(at_once(log, 5, rows=True, root=root))
        assert (found[0].index, found[-1].index, why[:9]) == (5, 20 * WIDTH - 1, "NotThere:")


def test_an_entry_that_was_changed_is_named_after_the_leaves_before_it() -> None:
    log = MemoryLog()
    log.append([row(vcpus=n) for n in range(600)])
    log.files["tile/entries/001"] = log.files["tile/entries/001"].replace(b'"vcpus":300', b'"vcpus":0x1')
    found, why = seen(at_once(log, 0, rows=True))
    assert (len(found), why) == (300, seen(one_by_one(log, 0, rows=True))[1])
    assert "entry 300 of the log, in tile/entries/001, does not match its tile" in why


@given(st.integers(0, 40), st.integers(0, 600))
def test_a_compact_range_takes_many_leaves_at_once(before: int, more: int) -> None:
    hashes = [merkle.leaf_hash(bytes([n & 255, n >> 8])) for n in range(before + more)]
    found, expected = merkle.CompactRange(), merkle.CompactRange()
    found.extend(b"".join(hashes[:before]))
    found.extend(b"".join(hashes[before:]))
    for each in hashes:
        expected.append(each)
    assert (found.size, found.root()) == (expected.size, expected.root())
