"""The shared cases of evidence, as the command line reads them; tests/web/test_evidence_script.py has the page."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.support.evidence_cases import cases, input_of, read, stated, with_codes


def test_ids_are_unique() -> None:
    assert [one for one, count in Counter(case["id"] for case in cases()).items() if count > 1] == []


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
def test_a_case_is_read_as_it_says(case: dict[str, Any]) -> None:
    assert with_codes(read(input_of(case))) == stated(case)
