"""Guest policies: what the guest owner allows the platform, each bit by its name; reserved bits are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from catalog.errors import MalformedInput

_SEV_BITS = {"no_debug": 0, "no_key_sharing": 1, "es": 2, "no_send": 3, "domain": 4, "sev": 5}

_SNP_BITS = {
    "smt": 16,
    "migrate_ma": 18,
    "debug": 19,
    "single_socket": 20,
    "cxl_allow": 21,
    "mem_aes_256_xts": 22,
    "rapl_dis": 23,
    "ciphertext_hiding_dram": 24,
    "page_swap_disable": 25,
}

_SNP_RESERVED_ONE = 1 << 17


def named_bits(value: int, names: Mapping[str, int], what: str) -> dict[str, bool]:
    """Whether each named bit of a number is set; raises MalformedInput if any other bit is set."""
    if unknown := value & ~sum(1 << bit for bit in names.values()):
        bits = ", ".join(str(bit) for bit in range(unknown.bit_length()) if unknown >> bit & 1)
        raise MalformedInput(f"{what} {value:#x} has reserved bits set: {bits}")
    return {name: bool(value >> bit & 1) for name, bit in names.items()}


@dataclass(frozen=True, slots=True)
class SevPolicy:
    """The u32 policy of a SEV or SEV-ES guest. api_major, api_minor: minimum API version of the SEV firmware.

    Source: AMD SEV API specification (55766), chapter 3, guest policy structure.
    """

    no_debug: bool
    no_key_sharing: bool
    es: bool
    no_send: bool
    domain: bool
    sev: bool
    api_major: int
    api_minor: int

    @classmethod
    def parse(cls, value: int) -> SevPolicy:
        """Read a policy; raises MalformedInput if reserved bits are set or it has more than 32 bits."""
        if not 0 <= value < 1 << 32:
            raise MalformedInput(f"{value:#x} is not a 32-bit guest policy")
        bits = named_bits(value & 0xFFFF, _SEV_BITS, "the SEV guest policy")
        return cls(**bits, api_major=value >> 16 & 0xFF, api_minor=value >> 24)

    @property
    def technology(self) -> str:
        """Name of the technology under which a guest with this policy is launched."""
        return "sev-es" if self.es else "sev"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SnpPolicy:
    """The u64 policy of a SEV-SNP guest. abi_major, abi_minor: minimum ABI version of the SNP firmware.

    Source: SEV-SNP ABI (56860), 4.3, guest policy.
    """

    abi_minor: int
    abi_major: int
    smt: bool
    migrate_ma: bool
    debug: bool
    single_socket: bool
    cxl_allow: bool
    mem_aes_256_xts: bool
    rapl_dis: bool
    ciphertext_hiding_dram: bool
    page_swap_disable: bool

    @classmethod
    def parse(cls, value: int) -> SnpPolicy:
        """Read a policy; raises MalformedInput if reserved bits are set, bit 17 is not, or it has more than 64 bits."""
        if not 0 <= value < 1 << 64:
            raise MalformedInput(f"{value:#x} is not a 64-bit guest policy")
        if not value & _SNP_RESERVED_ONE:
            raise MalformedInput(f"the SEV-SNP guest policy {value:#x} lacks bit 17, which is always set")
        bits = named_bits(value & ~(_SNP_RESERVED_ONE | 0xFFFF), _SNP_BITS, "the SEV-SNP guest policy")
        return cls(abi_minor=value & 0xFF, abi_major=value >> 8 & 0xFF, **bits)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
