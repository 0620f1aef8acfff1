"""A VMSA page in JSON, as `ldcat vmsa show` prints it and as people write it; parsed strictly."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Annotated, Any

import msgspec

from catalog.abi import vmsa, vmsa_layout
from catalog.abi.page_info import contents_digest
from catalog.errors import MalformedRecord, UnknownName
from catalog.wire import Wire, decode_json

Value = int | Annotated[str, msgspec.Meta(pattern=r"\A0x[0-9a-f]{1,16}\Z")]
"""An unsigned integer, or text in lowercase 0x-hex."""


class SegmentRecord(Wire, frozen=True):
    """A segment register in JSON."""

    selector: Value = 0
    attrib: Value = 0
    limit: Value = 0
    base: Value = 0


class RunRecord(Wire, frozen=True):
    """A run of nonzero bytes that no register covers.

    offset: bytes from the start of the page.
    data: hex.
    """

    offset: Value
    data: Annotated[str, msgspec.Meta(pattern=r"\A(?:[0-9a-f]{2})+\Z")]


class PageRecord(Wire, frozen=True):
    """A page in JSON. All other bytes are zero.

    registers, segments: by name.
    unnamed: nonzero bytes that no register covers.
    sha256, sha384: if given, they must be those of the page.
    profiles: added by `ldcat vmsa show`; not read.
    """

    registers: dict[str, Value]
    segments: dict[str, SegmentRecord]
    unnamed: list[RunRecord] = []
    sha256: str | None = None
    sha384: str | None = None
    profiles: Any = None


def page_of_json(text: bytes, name: str) -> bytes:
    """The 4096 bytes that a record describes. name: what errors call it.

    Raises MalformedRecord for an unknown register or segment, a value that is too large, unnamed bytes that are not as
    `vmsa.unnamed` gives them, or a hash of another page.
    """
    record = decode_json(text, PageRecord, name)
    page = bytearray(vmsa.encode(_registers(record, name)))
    runs = [(_fitting(run.offset, 12, f"{name}: unnamed offset"), bytes.fromhex(run.data)) for run in record.unnamed]
    for offset, data in runs:
        page[offset : offset + len(data)] = data
    if len(page) != vmsa_layout.VMSA_SIZE or vmsa.unnamed(page) != runs:
        raise MalformedRecord(
            f"{name}: unnamed does not list the runs of nonzero bytes that no register covers",
            "each run is as long as possible, and offsets ascend",
        )
    for algorithm, given, digest in (
        ("sha256", record.sha256, hashlib.sha256(page).digest()),
        ("sha384", record.sha384, contents_digest(bytes(page))),
    ):
        if given is not None and given != digest.hex():
            raise MalformedRecord(
                f"{name}: {algorithm} is not that of this page", "if you changed a value, leave out the hashes"
            )
    return bytes(page)


def _registers(record: PageRecord, name: str) -> vmsa.Registers:
    _check_names("register", record.registers, vmsa_layout.REGISTERS, name)
    _check_names("segment", record.segments, vmsa_layout.SEGMENTS, name)
    segments = {
        segment: vmsa.Segment(
            **{
                field: _fitting(getattr(fields, field), bits, f"{name}: {segment}.{field}")
                for field, bits in vmsa_layout.SEGMENT_BITS.items()
            }
        )
        for segment, fields in record.segments.items()
    }
    values = {
        register: _fitting(value, vmsa.register_bits(register), f"{name}: {register}")
        for register, value in record.registers.items()
    }
    return vmsa.Registers(segments, values)


def _check_names(kind: str, given: Iterable[str], known: Collection[str], name: str) -> None:
    for one in given:
        if one not in known:
            error = UnknownName(kind, one, known)
            raise MalformedRecord(f"{name}: {error}", error.hint)


def _fitting(value: Value, bits: int, what: str) -> int:
    number = value if isinstance(value, int) else int(value, 16)
    if not 0 <= number < 1 << bits:
        raise MalformedRecord(f"{what} is not a number of {bits} bits")
    return number
