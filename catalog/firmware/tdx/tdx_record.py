"""The TDX facts of an image, as the table [component.tdx] of a firmware record (docs/firmware.md), and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from catalog.errors import MalformedFirmware, MalformedRecord
from catalog.firmware.tdx.rtmr_facts import RtmrFacts, RtmrWire
from catalog.firmware.tdx.tdvf import TdvfSection, TdvfSectionType, check_sections, section_fault
from catalog.firmware.tdx.tdx_facts import WAYS, TdxFacts
from catalog.wire import U32, PageAddress, Wire, decode_json, encode_json, unhex

_LINE = re.compile("[ -~]{1,200}")
_NUMBERS = ("data_offset", "raw_size", "gpa", "size", "attributes")


class TdvfSectionWire(Wire, frozen=True):
    """A TDVF section. type: its name."""

    type: str
    data_offset: U32
    raw_size: U32
    gpa: PageAddress
    size: PageAddress
    attributes: U32


class TdxWire(Wire, frozen=True):
    """sections, mrtd by way in hex, and rtmr if it is known; or fault, why no TD can be built of the image, alone."""

    sections: list[TdvfSectionWire] = []
    mrtd: dict[str, str] = {}
    fault: str | None = None
    rtmr: RtmrWire | None = None


def facts_json(facts: TdxFacts) -> str:
    """The facts as canonical JSON, of the same form: `parse_facts` of it gives the same facts."""
    sections = [
        TdvfSectionWire(type=one.name, **{name: getattr(one, name) for name in _NUMBERS}) for one in facts.sections
    ]
    mrtd = {way: digest.hex() for way, digest in facts.mrtd.items()}
    rtmr = facts.rtmr.wire if facts.rtmr else None
    return encode_json(TdxWire(sections=sections, mrtd=mrtd, fault=facts.fault, rtmr=rtmr))


def parse_facts(text: str, what: str) -> TdxFacts:
    """The facts of JSON; raises MalformedRecord, with a message that begins with `what`."""
    return tdx_facts(decode_json(text.encode(), TdxWire, what), what)


def tdx_facts(wire: TdxWire, what: str) -> TdxFacts:
    """The facts of a record; raises MalformedRecord, with a message that begins with `what`."""
    try:
        if wire.fault is not None and not _LINE.fullmatch(wire.fault):
            raise MalformedRecord("fault is not one line of 1 to 200 printable ASCII characters")
        others = (wire.sections, wire.mrtd, wire.rtmr)
        if any(others) if wire.fault is not None else not all(others[:2]):
            raise MalformedRecord("has sections and mrtd, or fault alone")
        if unknown := wire.mrtd.keys() - set(WAYS):
            raise MalformedRecord(f"mrtd: unknown way {min(unknown)[:24]!r}")
        mrtd = {way: unhex(text, 48, f"mrtd: {way}") for way, text in wire.mrtd.items()}
        rtmr = RtmrFacts.from_wire(wire.rtmr, "tdx") if wire.rtmr else None
        sections = tuple(map(_section, wire.sections))
        if sections:
            check_sections(sections)
        return TdxFacts(sections, mrtd, wire.fault, rtmr)
    except (MalformedFirmware, MalformedRecord) as error:
        raise MalformedRecord(f"{what}: {error}") from error


def tdx_lines(facts: TdxFacts) -> Iterator[str]:
    """The lines of the table [component.tdx]: `tdx_facts` of them gives the same facts."""
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
    yield from ("", "[component.tdx.mrtd]")
    yield from (f'{way} = "{digest.hex()}"' for way, digest in sorted(facts.mrtd.items()))
    if facts.rtmr:
        yield from facts.rtmr.lines("component.tdx.rtmr")


def _section(wire: TdvfSectionWire) -> TdvfSection:
    if wire.type not in TdvfSectionType.__members__:
        raise MalformedRecord(f"unknown type of a TDVF section {wire.type[:24]!r}")
    kind = TdvfSectionType[wire.type].value
    section = TdvfSection(kind, wire.data_offset, wire.raw_size, wire.gpa, wire.size, wire.attributes)
    if fault := section_fault(section):
        raise MalformedRecord(fault)
    return section
