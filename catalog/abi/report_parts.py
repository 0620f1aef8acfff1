"""Parts of an attestation report that have parts themselves: platform, keys, version of the firmware.

Source: SEV-SNP ABI (56860), 7.3, ATTESTATION_REPORT.
"""

from __future__ import annotations

from catalog.abi.structure import Bit, BitField


class FirmwareVersion:
    """Version of the SNP firmware: major, minor and build."""

    __slots__ = ("build", "major", "minor")

    def __init__(self, major: int, minor: int, build: int) -> None:
        self.major, self.minor, self.build = major, minor, build

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.build}"


class PlatformInfo(BitField):
    """State of the platform.

    Source: SEV-SNP ABI (56860), 7.3, PLATFORM_INFO; for iommu_write_safe, tinfoilsh/go-sev-guest abi/abi.go.
    """

    __slots__ = ()

    smt_enabled = Bit(0)
    tsme_enabled = Bit(1)
    ecc_enabled = Bit(2)
    rapl_disabled = Bit(3)
    ciphertext_hiding_dram_enabled = Bit(4)
    alias_check_complete = Bit(5)
    iommu_write_safe = Bit(6)
    tio_enabled = Bit(7)


class KeyInfo(BitField):
    """What a report says about keys. Bits 2 to 4 are the number of the key that has signed it."""

    __slots__ = ()

    NUMBERS = 7 << 2

    author_key_enabled = Bit(0)
    mask_chip_key = Bit(1)

    @property
    def signing_key(self) -> int:
        return self.value >> 2 & 7
