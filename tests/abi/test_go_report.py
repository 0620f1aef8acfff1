"""Reports in the JSON of go-sev-guest: read back to their bytes, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.abi.go_report import is_go_report, parse_go_report
from catalog.abi.report import AttestationReport
from catalog.errors import MalformedInput
from tests.support.evidence_forms import REPORT, go_attestation

FIELDS: dict[str, Any] = go_attestation()["report"]


def test_the_bytes_of_a_report() -> None:
    assert is_go_report(FIELDS)
    assert parse_go_report(FIELDS) == AttestationReport.parse(REPORT)
    snake = {**FIELDS, "guest_svn": FIELDS["guestSvn"], "signature": REPORT[0x2A0:], "launch_mit_vector": "7"}
    del snake["guestSvn"]
    assert is_go_report(snake)
    assert parse_go_report(snake).raw == REPORT[:0x1F8] + b"\7" + REPORT[0x1F9:]


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
        ({"version": 1}, "invalid attestation report version 1"),
    ],
)
def test_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        parse_go_report({**FIELDS, **change})


def test_unknown_fields_are_left_out_with_a_note() -> None:
    report = parse_go_report({**FIELDS, "more": 1, "extendedTcb": "2", "later": None})
    assert report == AttestationReport.parse(REPORT)
    text = "2 fields of the report are not known to this version and left out, so the signature may not verify"
    assert [(note.code, note.text) for note in report.unknown] == [("report-field-unknown", text)]
    assert parse_go_report({**FIELDS, "later": None}).unknown == ()
