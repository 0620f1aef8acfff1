"""The TDX facts of an image in TOML: the table [component.tdx] of a firmware record (docs/firmware.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from catalog.errors import MalformedRecord
from catalog.firmware.tdx.tdvf import TdvfSection, TdvfSectionType, section_fault
from catalog.firmware.tdx.tdx_facts import WAYS, TdxFacts
from catalog.wire import U32, PageAddress, Wire, decode_toml, unhex


class TdvfSectionWire(Wire, frozen=True):
    """A TDVF section. type: its name."""

    type: str
    data_offset: U32
    raw_size: U32
    gpa: PageAddress
    size: PageAddress
    attributes: U32


class TdxWire(Wire, frozen=True):
    """sections, and mrtd by way in hex; or fault, why no TD can be built of the image, and nothing else."""

    sections: list[TdvfSectionWire] = []
    mrtd: dict[str, str] = {}
    fault: str | None = None


class _ComponentWire(Wire, frozen=True):
    tdx: TdxWire


class _RecordWire(Wire, frozen=True):
    component: _ComponentWire


def parse_tdx(text: str, what: str) -> TdxFacts:
    """The facts of a text with the table [component.tdx] alone; raises MalformedRecord, with `what` in front."""
    return tdx_facts(decode_toml(text, _RecordWire, what).component.tdx, what)


def tdx_facts(wire: TdxWire, what: str) -> TdxFacts:
    """The facts of a record; raises MalformedRecord, with a message that begins with `what`."""
    try:
        if (wire.fault is None) != bool(wire.sections and wire.mrtd) or (wire.fault and (wire.sections or wire.mrtd)):
            raise MalformedRecord("has sections and mrtd, or fault alone")
        if unknown := wire.mrtd.keys() - set(WAYS):
            raise MalformedRecord(f"mrtd: unknown way {min(unknown)[:24]!r}")
        mrtd = {way: unhex(text, 48, f"mrtd: {way}") for way, text in wire.mrtd.items()}
        return TdxFacts(tuple(map(_section, wire.sections)), mrtd, wire.fault)
    except MalformedRecord as error:
        raise MalformedRecord(f"{what}: {error}") from error


def tdx_text(facts: TdxFacts) -> str:
    """The table [component.tdx], after an empty line: `parse_tdx` of it gives the same facts."""
    return "".join(f"{line}\n" for line in ("", *_lines(facts)))


def _lines(facts: TdxFacts) -> Iterator[str]:
    yield "[component.tdx]"
    if facts.fault:
        yield f"fault = {json.dumps(facts.fault)}"  # a message of ours: one line of ASCII
        return
    yield "sections = ["
    for one in facts.sections:
        data = f"data_offset = {one.data_offset:#x}, raw_size = {one.raw_size:#x}"
        memory = f"gpa = {one.gpa:#x}, size = {one.size:#x}, attributes = {one.attributes:#x}"
        yield f'    {{ type = "{one.name}", {data}, {memory} }},'
    yield "]"
    yield from (f'mrtd.{way} = "{digest.hex()}"' for way, digest in sorted(facts.mrtd.items()))


def _section(wire: TdvfSectionWire) -> TdvfSection:
    if wire.type not in TdvfSectionType.__members__:
        raise MalformedRecord(f"unknown type of a TDVF section {wire.type[:24]!r}")
    kind = TdvfSectionType[wire.type].value
    section = TdvfSection(kind, wire.data_offset, wire.raw_size, wire.gpa, wire.size, wire.attributes)
    if fault := section_fault(section):
        raise MalformedRecord(fault)
    return section
