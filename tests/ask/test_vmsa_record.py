"""VMSA pages in every form that is accepted: each gives the page, and other input is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.abi import vmsa, vmsa_layout
from catalog.ask.vmsa_pages import MAX_INPUT, SaveArea
from catalog.errors import MalformedInput, MalformedRecord
from tests.support.strategies import VMSA_PAGES


def read(record: dict[str, Any]) -> SaveArea:
    return SaveArea.parse(json.dumps(record).encode(), "page.json")


@given(VMSA_PAGES)
def test_every_form_gives_the_page(page: bytes) -> None:
    area = SaveArea(page)
    digits = page.hex()
    lines = "\n".join(digits[at : at + 60] for at in range(0, len(digits), 60)) + "\n"
    for text in (digits, digits.upper(), lines):
        assert SaveArea.parse(text.encode(), "x") == area
    record = area.to_dict()
    assert read(record) == area
    assert read(record).to_dict() == record
    if 0 in page:
        assert SaveArea.parse(page, "x") == area


def test_the_longest_json_is_accepted() -> None:
    area = SaveArea(bytes(at % 2 for at in range(vmsa_layout.VMSA_SIZE)))
    text = json.dumps(area.to_dict(), indent=2).encode()
    assert MAX_INPUT // 2 < len(text) < MAX_INPUT
    assert SaveArea.parse(text, "x") == area


@given(st.binary(max_size=200) | st.text().map(str.encode) | st.binary(max_size=40).map(lambda b: b"{" + b))
def test_arbitrary_bytes_are_a_page_or_an_error(data: bytes) -> None:
    with pytest.raises(MalformedInput) as caught:
        SaveArea.parse(data, "some file")
    assert str(caught.value).startswith("some file")
    assert "\n" not in str(caught.value)


NAMES = st.sampled_from(
    ["registers", "segments", "unnamed", "sha256", "rip", "mxcsr", "cs", "base", "offset", "data", "profiles"]
)

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.sampled_from(["0x1", "ff"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.fixed_dictionaries({"registers": VALUES, "segments": VALUES}, optional={"unnamed": VALUES, "sha384": VALUES}))
def test_arbitrary_json_is_a_page_or_an_error(record: dict[str, Any]) -> None:
    try:
        area = read(record)
    except MalformedInput as error:
        assert str(error).startswith("page.json")  # noqa: PT017 - a page is also fine
    else:
        assert read(area.to_dict()) == area


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "a VMSA is 4096 bytes, not 0"),
        (bytes(4095), "a VMSA is 4096 bytes, not 4095"),
        (bytes(4097), "a VMSA is 4096 bytes, not 4097"),
        (b"00" * 2048, "a VMSA is 4096 bytes, not 2048"),  # 4096 digits are too few for a page
        (b"0" * 8191, "a VMSA is 4096 bytes, not 8191"),
        (b"x" * (MAX_INPUT + 1), f"is larger than {MAX_INPUT} bytes"),
        (b"{", "input data was truncated"),
        (b"{}", "missing required field"),
        (b'{"a": ' + b"[" * 5000, "page"),
        (b'{"registers": {}, "segments": {}, "vmm": 1}', "unknown field `vmm`"),
    ],
)
def test_other_input_is_refused_with_the_reason(data: bytes, part: str) -> None:
    with pytest.raises(MalformedInput) as caught:
        SaveArea.parse(data, "page")
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"registers": {"eax": 1}}, "unknown register 'eax'"),
        ({"segments": {"xs": {}}}, "unknown segment 'xs'"),
        ({"segments": {"cs": {"limits": 1}}}, "unknown field `limits`"),
        ({"registers": {"cpl": 256}}, "page.json: cpl is not a number of 8 bits"),
        ({"registers": {"cpl": "0x100"}}, "cpl is not a number of 8 bits"),
        ({"registers": {"rip": 1 << 64}}, "rip"),
        ({"registers": {"rip": -1}}, "rip is not a number of 64 bits"),
        ({"registers": {"rip": "16"}}, "$.registers"),
        ({"registers": {"rip": "0xFF"}}, "$.registers"),
        ({"registers": {"rip": "0x1\n"}}, "$.registers"),
        ({"registers": {"rip": True}}, "$.registers"),
        ({"registers": {"rip": 1.0}}, "$.registers"),
        ({"segments": {"cs": {"attrib": 1 << 16}}}, "cs.attrib is not a number of 16 bits"),
        ({"segments": {"cs": {"base": "0x"}}}, "$.segments"),
        ({"sha256": "00" * 32}, "sha256 is not that of this page"),
        ({"sha384": "00" * 48}, "sha384 is not that of this page"),
        ({"unnamed": [{"offset": 4096, "data": "01"}]}, "unnamed offset is not a number of 12 bits"),
        ({"unnamed": [{"offset": "0x420", "data": ""}]}, "$.unnamed"),
        ({"unnamed": [{"offset": "0x420", "data": "0"}]}, "$.unnamed"),
        ({"unnamed": [{"offset": "0x420", "data": "AB"}]}, "$.unnamed"),
        ({"unnamed": [{"offset": "0xfff", "data": "0101"}]}, "unnamed does not list the runs"),
        ({"unnamed": [{"offset": "0x420", "data": "00"}]}, "unnamed does not list the runs"),
        ({"unnamed": [{"offset": "0x178", "data": "01"}]}, "unnamed does not list the runs"),
        (
            {"unnamed": [{"offset": "0x420", "data": "01"}, {"offset": "0x421", "data": "01"}]},
            "unnamed does not list the runs",
        ),
        (
            {"unnamed": [{"offset": "0x430", "data": "01"}, {"offset": "0x420", "data": "01"}]},
            "unnamed does not list the runs",
        ),
    ],
)
def test_inexact_records_are_refused(fields: dict[str, Any], part: str) -> None:
    with pytest.raises(MalformedRecord) as caught:
        read({"registers": {}, "segments": {}, **fields})
    assert part in str(caught.value)
    assert str(caught.value).startswith("page.json: ")


def test_a_record_can_be_written_by_hand() -> None:
    assert read({"registers": {}, "segments": {}}).page == bytes(4096)
    area = read({"registers": {"rip": 16, "cpl": "0x3"}, "segments": {"cs": {"base": "0x800000"}}, "profiles": [1]})
    registers = vmsa.decode(area.page)
    assert (registers.values["rip"], registers.values["cpl"]) == (16, 3)
    assert registers.segments["cs"] == vmsa.Segment(base=0x800000)
