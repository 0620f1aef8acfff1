"""Leaves of rows: for every table they are those of `encode_leaf`."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import MalformedRecord
from catalog.files.plain_json import canonical_json
from catalog.log.leaves.leaf_groups import LeafGroups
from catalog.log.leaves.packed_rows import write_leaves
from catalog.log.records import encode_leaf, parse_row
from catalog.log.row_leaves import COLUMNS, RowPacker, row_leaves
from catalog.rows.digest_record import DigestRecord
from tests.support.strategies import ROW, row_table


def leaf(row: dict[str, Any]) -> bytes:
    signature, features = row["vcpu_signature"], row["sev_features"]
    hashes = {name: row[name] and row[name].hex() for name in ("firmware_sha256", "kernel_hashes_sha256")}
    optional = {name: row[name].hex() for name in ("firmware_snp_baseline", "base_digest") if row[name] is not None}
    return encode_leaf(
        DigestRecord(
            type="digest",
            launch_digest=row["launch_digest"].hex(),
            technology=row["technology"],
            **hashes,
            **optional,
            vmm=row["vmm"],
            vcpus=row["vcpus"],
            vcpu_signature=None if signature is None else f"{signature:#010x}",
            sev_features=None if features is None else f"{features:#x}",
        )
    )


@given(st.lists(ROW, max_size=30), st.integers(0, 30))
def test_leaves_match_encode_leaf(rows: list[dict[str, Any]], cut: int) -> None:
    shorter = [row | {"launch_digest": row["launch_digest"][:32]} for row in rows[cut:]]
    groups = LeafGroups()
    packed = list(RowPacker(groups).pack([row_table(rows[:cut]), row_table(shorter, 32)]))
    expected = [leaf(row) for row in rows[:cut] + shorter]
    assert [each for part in packed for each in write_leaves(groups, part)] == expected
    assert all(encode_leaf(parse_row(each)) == each for each in expected)


WITHOUT = {
    "kernel_hashes_sha256": None,
    "launch_digest": "aa",
    "sev_features": "0x1",
    "technology": "sev-snp",
    "type": "digest",
    "vcpu_signature": "0x1",
    "vcpus": 2,
    "vmm": "v",
}
"""A leaf that does not say what the launch begins with."""


@pytest.mark.parametrize(
    "identity",
    [
        {"firmware_sha256": "bb"},
        {"firmware_sha256": None, "firmware_snp_baseline": "bb"},
        {"firmware_sha256": None, "base_digest": "bb"},
    ],
)
def test_a_row_with_one_identity_is_read(identity: dict[str, Any]) -> None:
    made = canonical_json(WITHOUT | identity)
    assert encode_leaf(parse_row(made)) == made


@pytest.mark.parametrize(
    ("identity", "why"),
    [
        ({"firmware_sha256": None}, "exactly one of firmware_sha256, firmware_snp_baseline, base_digest"),
        ({"firmware_sha256": "bb", "base_digest": "cc"}, "exactly one of"),
        ({"firmware_sha256": "bb", "firmware_snp_baseline": "cc"}, "exactly one of"),
        ({"firmware_sha256": None, "firmware_snp_baseline": "bb", "base_digest": "cc"}, "exactly one of"),
        ({"firmware_sha256": "bb", "base_digest": None}, "expected `str`, got `null`"),
        ({"firmware_sha256": "bb", "firmware_snp_baseline": None}, "expected `str`, got `null`"),
    ],
)
def test_a_row_with_another_number_of_identities_is_refused(identity: dict[str, Any], why: str) -> None:
    """No proof is a match of an unknown firmware, and no row has two leaves, of which revocations select one."""
    with pytest.raises(MalformedRecord, match=why):
        parse_row(canonical_json(WITHOUT | identity))


def test_no_rows() -> None:
    assert row_leaves(row_table([])) == []


@pytest.mark.parametrize("name", COLUMNS)
def test_tables_with_other_columns_are_refused(name: str) -> None:
    good = row_table([])
    with pytest.raises(KeyError):
        row_leaves(good.drop_columns([name]))
    at = good.column_names.index(name)
    with pytest.raises(pa.ArrowException):
        row_leaves(good.set_column(at, name, pa.array([], pa.list_(pa.int8()))))


@given(st.lists(ROW, min_size=1, max_size=9))
def test_dictionary_encoded_columns_give_the_same_leaves(rows: list[dict[str, Any]]) -> None:
    """Any of them, also vCPU counts, whose codes are numbers, too."""
    plain = row_table(rows)
    for at, name in enumerate(plain.column_names):
        if name in COLUMNS and name != "launch_digest":
            encoded = plain.set_column(at, name, plain[name].dictionary_encode())
            assert row_leaves(encoded) == row_leaves(plain), name
