"""Rows are recomputed a piece at a time: whatever the pieces are, the differences are the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import pytest

from catalog.audit import rebuilt_release, row_pieces
from catalog.audit.rebuild import Rebuilt
from catalog.audit.row_pieces import RowPieces
from catalog.build.builder import BuildResult
from catalog.errors import MalformedRecord
from catalog.files.plain_json import canonical_json
from catalog.log.leaves import group_table
from catalog.log.leaves.leaf_block import LeafBlock
from catalog.log.leaves.read_leaves import log_parts
from catalog.log.leaves.row_text import LARGEST
from catalog.log.records import encode_leaf
from catalog.rows.digest_record import DigestRecord
from catalog.transparency.tiles import TileReader
from tests.support.logs import NOW
from tests.support.published_logs import Publisher, rebuilt, revoke, write_leaves

SNP = b'"technology":"sev-snp"'


def wrong_rows(found: Rebuilt) -> list[tuple[Any, ...]]:
    return sorted(
        (one.release, one.what, one.rows, one.recomputed or "", encode_leaf(one.row) if one.row else b"")
        for one in found.differences
    )


def changed(leaf: bytes, **fields: Any) -> bytes:
    return canonical_json(json.loads(leaf) | fields)


def forged(publisher: Publisher) -> list[bytes]:
    """Leaves with wrong digests, digests of another size, counts twice, and rows that cannot be recomputed."""
    *rows, release = publisher.leaves()
    snp = [leaf for leaf in rows if SNP in leaf]
    rows[rows.index(snp[0])] = changed(snp[0], launch_digest="00" * 48)
    rows[rows.index(snp[1])] = changed(snp[1], launch_digest="11" * 32)
    rows[rows.index(snp[2])] = changed(snp[2], vcpus=0)
    rows[rows.index(snp[3])] = changed(snp[3], vcpus=66000)
    rows[rows.index(snp[4])] = changed(snp[4], launch_digest="AB" * 48)
    rows += [changed(snp[5], launch_digest="22" * 48), changed(snp[6], vmm="nobody"), changed(snp[7], vcpus=None)]
    return [*sorted(rows), release]


def check_alike(found: list[tuple[Any, ...]], expected: list[tuple[Any, ...]]) -> None:
    """The same wrong rows. A row that cannot be recomputed takes those of its sweep with it that are in its piece."""
    assert {what for _, what, *_ in found} == {what for _, what, *_ in expected}
    assert {one for one in expected if one[4]} <= {one for one in found if one[4]}
    assert sum(one[2] for one in found) <= sum(one[2] for one in expected)


def test_pieces_and_tables_of_any_size_give_the_same(
    publisher: Publisher, small: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.publish(small)
    write_leaves(publisher, forged(publisher))
    expected = wrong_rows(rebuilt(publisher))
    assert len({what for _, what, *_ in expected}) >= 4
    for most in (1, 7, 100):
        monkeypatch.setattr(row_pieces, "MOST_ROWS", most)
        monkeypatch.setattr(row_pieces, "_MOST_MORE", 1 + most // 2)
        check_alike(wrong_rows(rebuilt(publisher)), expected)
    monkeypatch.setattr(group_table, "MOST_GROUPS", 3)
    monkeypatch.setattr(rebuilt_release, "_MOST_ALONE", 1)
    check_alike(wrong_rows(rebuilt(publisher)), expected)


def run_lengths(rows: Sequence[DigestRecord]) -> list[int]:
    """Of rows next to each other with the same firmware and kernel."""
    return [len(list(same)) for _, same in groupby((row.firmware_sha256, row.kernel_hashes_sha256) for row in rows)]


@pytest.mark.parametrize("most", [1, 5, 64, 1 << 21])
def test_pieces_have_every_row_in_order_and_whole_runs_if_there_is_room(
    publisher: Publisher, small: BuildResult, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    publisher.publish(small)
    monkeypatch.setattr(row_pieces, "MOST_ROWS", most)
    monkeypatch.setattr(row_pieces, "_MOST_MORE", 3)
    size = publisher.checkpoint().size
    blocks = [
        part for part in log_parts(TileReader(publisher.log, size), 0, size, rows=True) if isinstance(part, LeafBlock)
    ]
    rows = [block.record(at) for block in blocks for at in range(len(block))]
    pieces, taken, lengths = RowPieces(), list[tuple[bytes, int]](), list[int]()
    for more in [*(pieces.add(block) for block in blocks), pieces.rest()]:
        for piece in more:
            found = [bytes(piece.digests[LARGEST * at : LARGEST * at + LARGEST]) for at in range(len(piece.vcpus))]
            taken += zip(found, piece.vcpus, strict=True)
            lengths.append(len(found))
    assert taken == [(bytes.fromhex(row.launch_digest).ljust(LARGEST, b"\0"), row.vcpus or -1) for row in rows]
    assert max(lengths) <= most + 3
    if max(run_lengths(rows)) <= most:
        ends = [sum(lengths[:count]) for count in range(1, len(lengths))]
        assert all(run_lengths(rows[end - 1 : end + 1]) == [1, 1] for end in ends)


def test_a_release_record_that_skips_another_is_noticed(
    publisher: Publisher, small: BuildResult, fewer: BuildResult
) -> None:
    """The rows between are recomputed with the components of their own release, and counted once."""
    publisher.publish(fewer)
    first = publisher.checkpoint().size
    publisher.publish(small, now=NOW + 1)
    publisher.publish(small, revoke("deprecated", vcpus=2), now=NOW + 2)
    leaves = publisher.leaves()
    for previous in (0, first, -5, 10**9, len(leaves)):
        write_leaves(publisher, [*leaves[:-1], changed(leaves[-1], previous_size=previous)])
        found = rebuilt(publisher)
        assert (found.releases, found.rows) == (3, sum(b'"digest"' in leaf for leaf in leaves))
        assert [one.is_false for one in found.differences] == [True] * len(found.differences)
        assert any("previous_size" in one.what for one in found.differences)


def test_a_log_that_cannot_be_parsed_is_refused_although_a_record_skips_another(
    publisher: Publisher, small: BuildResult, fewer: BuildResult
) -> None:
    publisher.publish(fewer)
    publisher.publish(small, now=NOW + 1)
    leaves = publisher.leaves()
    write_leaves(publisher, [*leaves[:-2], b"{}", changed(leaves[-1], previous_size=0)])
    with pytest.raises(MalformedRecord, match="was published so"):
        rebuilt(publisher)
