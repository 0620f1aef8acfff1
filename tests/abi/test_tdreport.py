"""TDREPORT, TD reports, reports of a QE and attributes."""

from __future__ import annotations

import pytest

from catalog.abi.tdx.attributes import TdAttributes
from catalog.abi.tdx.qe_report import QeReport
from catalog.abi.tdx.td_report import TdReport
from catalog.abi.tdx.tdreport import Tdreport
from catalog.errors import MalformedInput
from tests.support.quote_builder import MRTD, td_report, tdreport


def test_the_fields_of_a_tdreport() -> None:
    found = Tdreport.parse(tdreport(version=1))
    assert found.report.raw == td_report() + bytes(64)
    assert (found.measurement.value, found.version, found.unknown) == (MRTD, 1, ())
    assert found == Tdreport.parse(tdreport(version=1))
    assert hash(found) == hash(tdreport(version=1))
    shown = found.to_dict()
    assert (shown["kind"], shown["version"], shown["subtype"], shown["mrtd"]) == ("tdreport", 1, 0, MRTD.hex())


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (1, "report-version-unknown"),
        (2, "report-version-unknown"),
        *((at, "reserved-not-zero") for at in (3, 4, 15, 0xC0, 0xDF, 0x190, 0x1EE, 0x1EF, 0x1FF, 0x3C0, 0x3FF)),
        (0x178, "td-attribute-unknown"),
    ],
)
@pytest.mark.parametrize("bit", range(8))
def test_reserved_bits_of_a_tdreport_are_shown(at: int, code: str, bit: int) -> None:
    raw = bytearray(tdreport(version=0))
    raw[at] |= 1 << bit
    assert [note.code for note in Tdreport.parse(bytes(raw)).unknown] == ([] if (at, bit) == (2, 0) else [code])


@pytest.mark.parametrize(
    ("data", "parse", "message"),
    [
        (bytes(1023), Tdreport.parse, "has 1024 bytes, not 1023"),
        (bytes(1024), Tdreport.parse, "TEE type 0x0"),
        (bytes(600), TdReport.parse, "584 or 648 bytes, not 600"),
        (bytes(383), QeReport, "has 384 bytes, not 383"),
    ],
)
def test_other_lengths_and_types_are_refused(data: bytes, parse: type, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        parse(data)


def test_bits_of_a_mask_by_name() -> None:
    bits = TdAttributes(0b1110011)
    assert bits.bits_of(bits.UNDER_DEBUG) == ["bit 1"]
    assert bits.bits_of(bits.UNDER_PROFILING) == ["hgs_plus_prof", "perf_prof", "pmt_prof"]
