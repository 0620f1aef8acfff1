"""Guest policies: what the guest owner allows the platform, each bit by its name."""

from __future__ import annotations

from catalog.abi.structure import Bit, BitField
from catalog.errors import MalformedInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class SevPolicy(BitField):
    """The u32 policy of a SEV or SEV-ES guest.

    Source: AMD SEV API specification (55766), chapter 3, guest policy structure.
    """

    __slots__ = ()

    NUMBERS = 0xFFFF0000

    no_debug = Bit(0)
    no_key_sharing = Bit(1)
    es = Bit(2)
    no_send = Bit(3)
    domain = Bit(4)
    sev = Bit(5)

    @classmethod
    def parse(cls, value: int) -> SevPolicy:
        """Read a policy; raises MalformedInput if it has more than 32 bits."""
        if not 0 <= value < 1 << 32:
            raise MalformedInput(f"{value:#x} is not a 32-bit guest policy")
        return cls(value)

    @property
    def api_major(self) -> int:
        """Minimum major API version of the SEV firmware."""
        return self.value >> 16 & 0xFF

    @property
    def api_minor(self) -> int:
        """Minimum minor API version of the SEV firmware."""
        return self.value >> 24

    @property
    def technology(self) -> str:
        """Name of the technology under which a guest with this policy is launched."""
        return "sev-es" if self.es else "sev"


class SnpPolicy(BitField):
    """The u64 policy of a SEV-SNP guest.

    Source: SEV-SNP ABI (56860), 4.3, guest policy.
    """

    __slots__ = ()

    NUMBERS = 0xFFFF
    ONES = 1 << 17

    smt = Bit(16)
    migrate_ma = Bit(18)
    debug = Bit(19)
    single_socket = Bit(20)
    cxl_allow = Bit(21)
    mem_aes_256_xts = Bit(22)
    rapl_dis = Bit(23)
    ciphertext_hiding_dram = Bit(24)
    page_swap_disable = Bit(25)

    @classmethod
    def parse(cls, value: int) -> SnpPolicy:
        """Read a policy; raises MalformedInput if it has more than 64 bits."""
        if not 0 <= value < 1 << 64:
            raise MalformedInput(f"{value:#x} is not a 64-bit guest policy")
        return cls(value)

    @property
    def abi_major(self) -> int:
        """Minimum major ABI version of the SNP firmware."""
        return self.value >> 8 & 0xFF

    @property
    def abi_minor(self) -> int:
        """Minimum minor ABI version of the SNP firmware."""
        return self.value & 0xFF

    def to_dict(self) -> dict[str, Any]:
        """The policy in JSON."""
        return {"abi_minor": self.abi_minor, "abi_major": self.abi_major, **super().to_dict()}
