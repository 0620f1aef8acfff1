"""The layout of an IGVM file: its fixed header, and the content of each variable header, little-endian.

Source: microsoft/igvm igvm_defs/src/lib.rs, crate igvm_defs 0.4.0.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from catalog.firmware.igvm.igvm_types import HeaderType

MAGIC = b"IGVM"
FIXED = struct.Struct("<4sIIIII")  # magic, version, offset and size of the variable headers, size of the file, CRC-32
FIXED_2 = struct.Struct("<II")  # architecture, page size: of version 2, behind FIXED
CHECKSUM_AT = 20
HEADER = struct.Struct("<II")  # type, bytes of content without padding
MAY_BE_IGNORED = 1 << 31
"""Bit of a type that a loader may ignore if it does not know it."""


IS_2MB, UNMEASURED, SHARED = 1, 2, 4
"""Flags of a PAGE_DATA directive."""


class SupportedPlatform(NamedTuple):
    """A platform header. mask: the bit of this platform in the masks of all other headers."""

    mask: int
    highest_vtl: int
    platform: int
    version: int
    shared_gpa_boundary: int


class GuestPolicy(NamedTuple):
    """The guest policy of SNP. mask: its platform, as in all that follow."""

    policy: int
    mask: int
    reserved: int


class RelocatableRegion(NamedTuple):
    """Memory that a loader may move."""

    mask: int
    vp_index: int
    vtl: int
    flags: int
    alignment: int
    gpa: int
    size: int
    least_gpa: int
    greatest_gpa: int


class PageTableRelocation(NamedTuple):
    """Page tables that a loader has to build or move."""

    mask: int
    vp_index: int
    vtl: int
    reserved: int
    gpa: int
    size: int
    used_size: int


class Corim(NamedTuple):
    """A CoRIM document, or its signature, in the file data."""

    mask: int
    file_offset: int
    size: int
    reserved: int


class CcaPolicy(NamedTuple):
    """The realm parameters of Arm CCA."""

    mask: int
    reserved: int
    zeroes: int
    ones: int
    hash_algorithm: int
    lfa_policy: int
    reserved_too: bytes


class ParameterArea(NamedTuple):
    """Memory that the loader fills with parameters. file_offset: of its first contents; 0: zeros."""

    size: int
    area: int
    file_offset: int


class PageData(NamedTuple):
    """A page of 4096 bytes, or 2 MiB. file_offset: of its contents; 0: zeros."""

    gpa: int
    mask: int
    file_offset: int
    flags: int
    data_type: int
    reserved: int


class ParameterInsert(NamedTuple):
    """Where a parameter area lies."""

    gpa: int
    mask: int
    area: int


class VpContext(NamedTuple):
    """The first registers of a vCPU. file_offset: of 4096 bytes."""

    gpa: int
    mask: int
    file_offset: int
    vp_index: int
    reserved: int


class RequiredMemory(NamedTuple):
    """Memory that the guest needs, in bytes."""

    gpa: int
    mask: int
    size: int
    flags: int
    reserved: int


class Parameter(NamedTuple):
    """What a loader writes into a parameter area. offset: in bytes."""

    area: int
    offset: int


class SnpIdBlock(NamedTuple):
    """An ID block without its policy, which GUEST_POLICY has, and its ID authentication information.

    digest: the launch digest that it expects, 48 bytes. Signatures: 144 bytes, keys: 152 bytes.
    """

    mask: int
    author_key_enabled: int
    reserved: bytes
    digest: bytes
    family_id: bytes
    image_id: bytes
    version: int
    guest_svn: int
    id_key_algorithm: int
    author_key_algorithm: int
    id_signature: bytes
    id_key: bytes
    author_signature: bytes
    author_key: bytes


class ErrorRange(NamedTuple):
    """Shared memory in which the loader's errors are told."""

    gpa: int
    mask: int
    size: int


class VbsMeasurement(NamedTuple):
    """A measurement for VBS, which nothing here reads."""

    mask: int
    rest: bytes


Content = (
    SupportedPlatform
    | GuestPolicy
    | RelocatableRegion
    | PageTableRelocation
    | Corim
    | CcaPolicy
    | ParameterArea
    | PageData
    | ParameterInsert
    | VpContext
    | RequiredMemory
    | Parameter
    | SnpIdBlock
    | ErrorRange
    | VbsMeasurement
)
"""The content of a variable header."""

_CORIM = "<IIII"
LAYOUT: dict[int, tuple[type[Content], struct.Struct]] = {
    kind: (made, struct.Struct(layout))
    for kind, made, layout in (
        (HeaderType.SUPPORTED_PLATFORM, SupportedPlatform, "<IBBHQ"),
        (HeaderType.GUEST_POLICY, GuestPolicy, "<QII"),
        (HeaderType.RELOCATABLE_REGION, RelocatableRegion, "<IHBBQQQQQ"),
        (HeaderType.PAGE_TABLE_RELOCATION_REGION, PageTableRelocation, "<IHBBQQQ"),
        (HeaderType.CORIM_DOCUMENT, Corim, _CORIM),
        (HeaderType.CORIM_SIGNATURE, Corim, _CORIM),
        (HeaderType.CCA_POLICY, CcaPolicy, "<IIQQBB6s"),
        (HeaderType.PARAMETER_AREA, ParameterArea, "<QII"),
        (HeaderType.PAGE_DATA, PageData, "<QIIIHH"),
        (HeaderType.PARAMETER_INSERT, ParameterInsert, "<QII"),
        (HeaderType.VP_CONTEXT, VpContext, "<QIIHH"),
        (HeaderType.REQUIRED_MEMORY, RequiredMemory, "<QIIII"),
        (HeaderType.SNP_ID_BLOCK, SnpIdBlock, "<IB3s48s16s16sIIII144s152s144s152s"),
        (HeaderType.ERROR_RANGE, ErrorRange, "<QII"),
        (HeaderType.VBS_MEASUREMENT, VbsMeasurement, "<I860s"),
        *(
            (kind, Parameter, "<II")
            for kind in (
                HeaderType.VP_COUNT_PARAMETER,
                HeaderType.SRAT,
                HeaderType.MADT,
                HeaderType.MMIO_RANGES,
                HeaderType.MEMORY_MAP,
                HeaderType.COMMAND_LINE,
                HeaderType.SLIT,
                HeaderType.PPTT,
                HeaderType.DEVICE_TREE,
                HeaderType.ENVIRONMENT_INFO_PARAMETER,
            )
        ),
    )
}
"""What each type holds, and its layout in bytes."""
