"""Packed rows are sorted as their leaves and written as their leaves, by compiled code as in Python."""

from __future__ import annotations

from array import array
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import MalformedRecord, Unreadable
from catalog.log.leaves import kept_rows, leaf_code, merged_rows
from catalog.log.leaves.kept_rows import KeptRows
from catalog.log.leaves.leaf_groups import LeafGroups
from catalog.log.leaves.live_slots import LiveSlots
from catalog.log.leaves.merged_rows import MergedRows
from catalog.log.leaves.packed_rows import (
    ROW,
    PackedRow,
    Rows,
    groups_of,
    pack_rows,
    row_bits,
    rows_with,
    sort_rows,
    unpack_rows,
    write_leaves,
)
from catalog.log.leaves.row_text import LARGEST, NONE, take_apart
from catalog.log.records import RevokeRecord, parse_row
from catalog.log.revocations import Revocations
from catalog.log.row_states import RowStates
from tests.support.log_rows import CODE, row
from tests.support.strategies import seeded

VCPUS = (NONE, 0, 1, 2, 10, 12, 100, 513, 1023, 1024, 65534, 65535)
REST: list[dict[str, Any]] = [
    {},
    {"vmm": "qemu-2"},
    {"vmm": None},
    {"technology": "sev-es"},
    {"firmware_sha256": "cd" * 32},
    {"sev_features": "0x11", "firmware_sha256": "abcd" * 16},
    {"vmm": 'a"}'},
]


def some_rows(random: Random) -> list[tuple[bytes, int, int, bool]]:
    """Up to 40: a digest, the number of its REST, a vCPU count, and whether the log has it."""
    return [
        (some_digest(random), random.randrange(len(REST)), random.choice(VCPUS), bool(random.getrandbits(1)))
        for _ in range(random.randint(0, 40))
    ]


def some_digest(random: Random) -> bytes:
    last = random.choice([0, 1, 255])
    return random.choice([bytes([*bytes(31), last]), bytes([*bytes(46), 1, last]), bytes(48), random.randbytes(32)])


ROWS = seeded(some_rows)
REVOKES = st.lists(
    st.tuples(
        st.sampled_from(
            [
                {"technology": "sev-snp"},
                {"vmm": None},
                {"vmm": "qemu-2", "vcpus": 2},
                {"vcpus": None},
                {"vcpus": 10},
                {"vcpus": 1 << 40},
                {"launch_digest": bytes(48).hex()},
                {"launch_digest": bytes(32).hex(), "vcpus": 1},
                {"launch_digest": "ab"},
                {"firmware_sha256": "cd" * 32},
            ]
        ),
        st.sampled_from(["revoked", "deprecated", "restored"]),
    ),
    max_size=5,
)


@pytest.fixture(params=CODE, ids=lambda lib: "compiled" if lib else "python", autouse=True)
def code(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaf_code, "lib", request.param)


def leaf(digest: bytes, rest: int, vcpus: int) -> bytes:
    return row(**REST[rest], launch_digest=digest.hex(), vcpus=None if vcpus == NONE else vcpus)


def grouped() -> tuple[LeafGroups, array[int]]:
    groups, numbers = LeafGroups(), array("I")
    for rest in range(len(REST)):
        found = take_apart(leaf(bytes(48), rest, 1))
        assert found is not None
        numbers.append(groups.number(found.rest))
    return groups, numbers


def pack(numbers: array[int], rows: list[tuple[bytes, int, int, bool]]) -> bytearray:
    """Each row by itself, since digests have different sizes."""
    out = bytearray()
    for digest, rest, vcpus, known in rows:
        bits = array("I", [row_bits(len(digest), known=known)] * len(numbers))
        out += pack_rows(digest, array("i", [vcpus]), array("I", [rest]), numbers, bits)
    return out


def leaves(groups: LeafGroups, rows: Rows) -> list[bytes]:
    return [each.leaf(groups) for each in unpack_rows(rows)]


@given(ROWS)
def test_rows_are_written_as_leaves(rows: list[tuple[bytes, int, int, bool]]) -> None:
    groups, numbers = grouped()
    packed = pack(numbers, rows)
    expected = [leaf(*each[:3]) for each in rows]
    assert list(unpack_rows(packed)) == [PackedRow(digest, numbers[rest], count) for digest, rest, count, _ in rows]
    assert groups_of(packed) == [numbers[rest] for _, rest, _, _ in rows]
    written = write_leaves(groups, packed)
    assert list(written) == leaves(groups, packed) == expected
    assert bytes(written.data) == b"".join(len(each).to_bytes(2, "big") + each for each in expected)


@given(ROWS)
def test_rows_are_sorted_as_their_leaves_by_head(rows: list[tuple[bytes, int, int, bool]]) -> None:
    groups, numbers = grouped()
    made, counts = sort_rows(groups, pack(numbers, rows))
    texts = groups.head_texts()
    heads = [texts.index(groups[group].before) for group in groups_of(made)]
    assert heads == sorted(heads)
    assert list(counts) == [heads.count(head) for head in range(len(texts))]
    by_head = sorted((texts.index(take(each)), each) for each in (leaf(*each[:3]) for each in rows))
    assert leaves(groups, made) == [each for _, each in by_head]


def take(text: bytes) -> bytes:
    found = take_apart(text)
    assert found is not None
    return found.rest[0]


@pytest.mark.parametrize("at_once", [1, 3, 16, 1000])
@given(rows=ROWS)
def test_unknown_rows_are_sorted_in_memory_and_on_disk(at_once: int, rows: list[tuple[bytes, int, int, bool]]) -> None:
    groups, numbers = grouped()
    with TemporaryDirectory() as folder, patch.multiple(merged_rows, AT_ONCE=at_once, _LEAST=1):
        made = MergedRows(groups, Path(folder))
        kept = KeptRows(Path(folder))
        for each in rows:
            made.add(pack(numbers, [each]))
        with patch.object(kept_rows, "_IN_MEMORY", ROW * at_once):
            for part in made.unknown():
                kept.add(part)
        assert not list(Path(folder).iterdir())
        known = {leaf(*each[:3]) for each in rows if each[3]}
        expected = sorted({leaf(*each[:3]) for each in rows} - known)
        for _ in range(2):
            assert [text for part in kept.parts(2) for text in leaves(groups, part)] == expected
        assert len(kept) == len(expected)


@given(ROWS, st.integers(0, 40))
def test_slots_that_are_there_already_are_found(rows: list[tuple[bytes, int, int, bool]], cut: int) -> None:
    _, numbers = grouped()
    slots, seen = LiveSlots(), set[tuple[int, int]]()
    dead = bytearray([0, 0, 0, 0, 1])
    for part in (rows[:cut], rows[cut:]):
        left_out = array("I", [at for at in range(len(part)) if at % 3 == 2])
        expected = []
        for at, (_, rest, count, _) in enumerate(part):
            if at in left_out or numbers[rest] == 4:
                continue
            if (numbers[rest], count) in seen:
                expected.append(at)
            seen.add((numbers[rest], count))
        assert list(slots.add(pack(numbers, part), dead, left_out)) == expected


@given(ROWS, REVOKES, REVOKES)
def test_rows_have_the_state_that_each_one_has_by_itself(
    rows: list[tuple[bytes, int, int, bool]], made: list[tuple[Any, Any]], more: list[tuple[Any, Any]]
) -> None:
    revokes, coming = ([RevokeRecord("revoke", *each, "r") for each in some] for some in (made, more))
    _, numbers = grouped()
    records = [parse_row(leaf(*each[:3])) for each in rows]
    states, live = RowStates(revokes, coming), []
    for part in (slice(0, 7), slice(7, None)):
        odd, also = states.count_rows(pack(numbers, rows[part]), records[part].__getitem__)
        for at, (_, rest, _, _) in enumerate(rows[part]):
            number = numbers[rest]
            is_dead = number < len(states.dead) and states.dead[number]
            live.append(at in also if at in odd else not is_dead)
    assert live == [Revocations([*revokes, *coming]).severity(record) != "revoked" for record in records]
    assert states.revoked == live.count(False)
    for at, one in enumerate(coming):
        before = Revocations([*revokes, *coming[:at]])
        assert states.selected[at] == Counter(map(before.severity, filter(one.selects, records)))


@given(ROWS)
def test_rows_with_digests_or_slots(rows: list[tuple[bytes, int, int, bool]]) -> None:
    _, numbers = grouped()
    wanted = sorted(digest.ljust(LARGEST, b"\0") for digest, _, _, _ in rows[::3])
    expected = [at for at, each in enumerate(rows) if each[0].ljust(48, b"\0") in wanted or each[2] in (2, 65535, NONE)]
    assert list(rows_with(pack(numbers, rows), wanted, [3, 65536, 0])) == expected


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    groups, numbers = grouped()
    one, bits = array("I", [0]), array("I", [row_bits(48, known=False)] * len(numbers))
    for digests, vcpus, of in (
        (bytes(47), array("i", [1, 2]), one),
        (bytes(49), array("i", [1]), one),
        (bytes(48), array("i", [-2]), one),
        (bytes(48), array("i", [65536]), one),
        (bytes(48), array("i", [1]), array("I", [len(numbers)])),
    ):
        with pytest.raises(ValueError, match=r"rows|row"):
            pack_rows(digests, vcpus, of, numbers, bits)
    packed = pack(numbers, [(bytes(48), 0, 1, False)])
    with pytest.raises((ValueError, IndexError)):
        write_leaves(LeafGroups(), packed)
    groups.number((b'{"a":"' + b"a" * 65_500, b"", b"}"))
    with pytest.raises(MalformedRecord, match="65,535"):
        write_leaves(groups, packed)
    kept = KeptRows(tmp_path / "missing")
    with pytest.raises(Unreadable), patch.object(kept_rows, "_IN_MEMORY", 1):
        kept.add(packed)
