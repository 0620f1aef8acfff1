"""Whether a log has all rows: as with a set of leaves, whether the products of a group are the same or not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.audit import rows_in_log
from catalog.audit.rows_in_log import has_rows
from catalog.log.leaves.leaf_block import LeafBlock
from catalog.log.leaves.leaf_groups import LeafGroups
from catalog.log.leaves.merged_rows import MergedRows
from catalog.log.leaves.packed_blocks import BlockPacker
from catalog.log.leaves.read_leaves import log_parts
from catalog.log.leaves.row_products import RowProducts
from catalog.log.row_leaves import row_leaves
from tests.support.logs import MemoryLog
from tests.support.strategies import ROW, row_table

VMM = {"vmm": "qemu", "vcpu_signature": 1, "sev_features": 1}


def history_of(rows: list[dict[str, Any]]) -> Any:
    """What an audit keeps of a log with these rows."""
    log, groups, products = MemoryLog(), LeafGroups(), RowProducts()
    log.append(row_leaves(row_table(rows)) if rows else [])
    packer = BlockPacker(groups)
    for part in log_parts(log.reader, 0, log.size, rows=True):
        assert isinstance(part, LeafBlock)
        products.add(packer.pack(part), len(groups))
    walk = SimpleNamespace(again=Mock(side_effect=lambda: log_parts(log.reader, 0, log.size, rows=True)))
    return SimpleNamespace(groups=groups, products=products, walk=walk)


@given(st.lists(ROW, max_size=8), st.data())
def test_as_with_a_set(known: list[dict[str, Any]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.sampled_from(known), max_size=10)) if known else []
    changes = data.draw(st.sampled_from([None, {"vcpus": 7}, {"vmm": "other"}]))
    if known and changes:
        rows.append(data.draw(st.sampled_from(known)) | changes)
    expected = set(row_leaves(row_table(rows))) <= set(row_leaves(row_table(known)))
    assert has_rows(history_of(known), lambda: [row_table(rows)]) == expected


def some(first: int, end: int, **changes: Any) -> list[dict[str, Any]]:
    identity = {"firmware_sha256": bytes(32), "firmware_snp_baseline": None, "base_digest": None}
    shared = {**identity, "kernel_hashes_sha256": None, "technology": "sev-snp", **VMM, **changes}
    return [{**shared, "vcpus": n, "launch_digest": n.to_bytes(48, "big")} for n in range(first, end)]


def test_leaves_are_read_again_for_a_group_with_more_rows_in_the_log_and_only_its_rows_are_sorted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sorted_rows = 0

    class Counting(MergedRows):
        def add(self, rows: Any) -> None:
            nonlocal sorted_rows
            sorted_rows += len(rows) // 56
            super().add(rows)

    monkeypatch.setattr(rows_in_log, "MergedRows", Counting)
    history = history_of([*some(1, 9), *some(1, 5, vmm="other")])
    same = [*some(1, 9), *some(1, 5, vmm="other")]
    assert has_rows(history, lambda: [row_table(same[:4]), row_table(same[4:])])
    assert has_rows(history, lambda: [row_table(some(1, 5, vmm="other"))])
    assert (sorted_rows, history.walk.again.call_count) == (0, 0)
    assert has_rows(history, lambda: [row_table([*some(2, 5), *some(1, 5, vmm="other")])])
    assert (sorted_rows, history.walk.again.call_count) == (8 + 3, 1)
    assert not has_rows(history, lambda: [row_table(some(2, 10))])
    assert not has_rows(history, lambda: [row_table(some(1, 5, vmm="new"))])


def test_a_log_that_was_not_read_to_be_audited_tells_nothing() -> None:
    assert not has_rows(SimpleNamespace(products=None), list)  # type: ignore[arg-type]
