"""Reports in the JSON of go-sev-guest: read back to their bytes, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.abi.go_report import go_report, is_go_report
from catalog.errors import MalformedInput
from tests.support.evidence_forms import REPORT, go_attestation

FIELDS: dict[str, Any] = go_attestation()["report"]


def test_the_bytes_of_a_report() -> None:
    assert is_go_report(FIELDS)
    assert go_report(FIELDS) == REPORT
    snake = {**FIELDS, "guest_svn": FIELDS["guestSvn"], "signature": REPORT[0x2A0:], "launch_mit_vector": "7"}
    del snake["guestSvn"]
    assert is_go_report(snake)
    assert go_report(snake) == REPORT[:0x1F8] + b"\7" + REPORT[0x1F9:]


@pytest.mark.parametrize(
    "change", [{"signature": {"r": [], "s": []}}, {"signature": "AAAA"}, {"measurement": "00" * 48}, {"signature": "!"}]
)
def test_other_objects_are_no_reports(change: dict[str, Any]) -> None:
    assert not is_go_report({**FIELDS, **change})
    assert not is_go_report({"version": 3})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy": -1}, "unsigned number of 64 bits"),
        ({"policy": "1" * 21}, "unsigned number of 64 bits"),
        ({"guestSvn": True}, "unsigned number of 32 bits"),
        ({"currentBuild": 256}, "unsigned number of 8 bits"),
        ({"hostData": "AAAA"}, "not 32 bytes"),
        ({"more": 1}, "an unknown field"),
    ],
)
def test_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        go_report({**FIELDS, **change})
