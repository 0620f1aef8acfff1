"""The revocation columns of a table: the same status as for each row by itself."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from catalog.ask.revoked_rows import with_revocations
from catalog.log.records import Severity, parse_row
from catalog.log.revocation_list import Revocation
from catalog.log.revocation_text import is_value
from catalog.log.revocations import Revocations
from catalog.log.row_leaves import row_leaves
from catalog.rows.digest_record import INPUTS
from catalog.rows.fields import value_in
from tests.support.strategies import ROW, row_table

ODD = st.sampled_from([None, "", "0x1", "0X1", "0x01", "0x00000001", 1, 2, -1, 1 << 70, "ff" * 32, "FF" * 32, "é"])


@given(rows=st.lists(ROW, min_size=1, max_size=9), data=st.data())
def test_columns_match_the_status_of_each_row(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    records = [parse_row(leaf) for leaf in row_leaves(row_table(rows))]
    revocations = []
    for number in range(data.draw(st.integers(0, 4))):
        selected = data.draw(st.sampled_from(records))
        names = data.draw(st.sets(st.sampled_from(["launch_digest", *INPUTS]), min_size=1, max_size=3))
        values = {name: data.draw(st.just(value_in(selected, name)) | ODD) for name in sorted(names)}
        selector = {name: value for name, value in values.items() if value is not None or is_value(name, None)}
        severity: Severity = data.draw(st.sampled_from(["revoked", "deprecated", "restored"]))
        revocations.append(Revocation(selector=selector, severity=severity, reason=f"reason {number}"))
    found = with_revocations(row_table(rows), revocations)
    statuses = [Revocations(revocations).status(record) for record in records]
    assert found["revocation"].to_pylist() == [status and status.severity for status in statuses]
    assert found["revocation_reason"].to_pylist() == [status and status.reason for status in statuses]
    assert found.drop_columns(["revocation", "revocation_reason"]).equals(row_table(rows))
