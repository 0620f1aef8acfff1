"""Metadata of an OVMF image as sev-snp-measure-go reads it: OVMF hash, sections and reset vector, without the image.

Source: virtee/sev-snp-measure-go, ovmf/ovmf.go (MetadataWrapper) and guest/testdata/ovmf_img_1.json.
"""

from __future__ import annotations

import re

import msgspec

from catalog.errors import MalformedRecord
from catalog.firmware.metadata import Section
from catalog.imports.component_facts import FirmwareFacts
from catalog.imports.documents import Document, Form, Given
from catalog.imports.imported import Imported
from catalog.imports.strict_json import as_record, check_count
from catalog.wire import U32, Wire, unhex

NAME = "sev-snp-measure-go"

_HEX_NUMBER = re.compile(r"0x(?:0|[1-9a-f][0-9a-f]{0,7})")

Number = U32 | str


class Item(Wire, frozen=True):
    """A SEV metadata section. Numbers are 0x-hex text, or JSON numbers."""

    gpa: Number = msgspec.field(name="GPA")
    size: Number = msgspec.field(name="Size")
    kind: U32 = msgspec.field(name="SectionTypeInt")


class Metadata(Wire, frozen=True):
    """The whole file."""

    items: list[Item] = msgspec.field(name="MetadataItems")
    reset_eip: Number = msgspec.field(name="ResetEIP")
    ovmf_hash: str = msgspec.field(name="OVMFHash")


def recognizes(document: Document) -> bool:
    """Whether it is an object with MetadataItems and OVMFHash."""
    return isinstance(document.json, dict) and {"MetadataItems", "OVMFHash"} <= set(document.json)


def parse(document: Document, _given: Given) -> Imported:
    """The facts; raises MalformedRecord."""
    wire = as_record(document.json, Metadata, NAME)
    check_count(len(wire.items), f"{NAME}: $.MetadataItems")
    sections = tuple(_section(item, f"$.MetadataItems[{at}]") for at, item in enumerate(wire.items))
    facts = FirmwareFacts(
        snp_baseline=unhex(wire.ovmf_hash, 48, f"{NAME}: $.OVMFHash"),
        sections=sections,
        reset_vector=_number(wire.reset_eip, "$.ResetEIP"),
    )
    return Imported(NAME, document.sha256, firmware=(facts,))


def _section(item: Item, path: str) -> Section:
    return Section(_number(item.gpa, f"{path}.GPA"), _number(item.size, f"{path}.Size"), item.kind)


def _number(value: Number, path: str) -> int:
    if isinstance(value, int):
        return value
    if not _HEX_NUMBER.fullmatch(value):
        raise MalformedRecord(f"{NAME}: {path}: {value[:24]!r} is not 0x and lowercase hex of at most 32 bits")
    return int(value, 16)


FORM = Form(NAME, "metadata JSON of sev-snp-measure-go", recognizes, parse)
