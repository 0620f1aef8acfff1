"""The types of an IGVM file: platforms, headers, and data of pages.

Source: microsoft/igvm igvm_defs/src/lib.rs, crate igvm_defs 0.4.0.
"""

from __future__ import annotations

from catalog.values import IntEnum


class PlatformType(IntEnum):
    """What a platform header says that the file is for."""

    NATIVE = 0
    VSM_ISOLATION = 1
    SEV_SNP = 2
    TDX = 3
    SEV = 4
    SEV_ES = 5
    CCA = 6


class Part(IntEnum):
    """The parts of the variable headers, in their order in a file."""

    PLATFORM = 0
    INITIALIZATION = 1
    DIRECTIVE = 2


class HeaderType(IntEnum):
    """Type of a variable header."""

    SUPPORTED_PLATFORM = 0x001
    GUEST_POLICY = 0x101
    RELOCATABLE_REGION = 0x102
    PAGE_TABLE_RELOCATION_REGION = 0x103
    CORIM_DOCUMENT = 0x104
    CORIM_SIGNATURE = 0x105
    CCA_POLICY = 0x106
    PARAMETER_AREA = 0x301
    PAGE_DATA = 0x302
    PARAMETER_INSERT = 0x303
    VP_CONTEXT = 0x304
    REQUIRED_MEMORY = 0x305
    VP_COUNT_PARAMETER = 0x307
    SRAT = 0x308
    MADT = 0x309
    MMIO_RANGES = 0x30A
    SNP_ID_BLOCK = 0x30B
    MEMORY_MAP = 0x30C
    ERROR_RANGE = 0x30D
    COMMAND_LINE = 0x30E
    SLIT = 0x30F
    PPTT = 0x310
    VBS_MEASUREMENT = 0x311
    DEVICE_TREE = 0x312
    ENVIRONMENT_INFO_PARAMETER = 0x313


class PageDataType(IntEnum):
    """Data type of a PAGE_DATA directive."""

    NORMAL = 0
    SECRETS = 1
    CPUID_DATA = 2
    CPUID_XF = 3
