"""VcpuSignature: CPUID Fn0000_0001 EAX, the only property of a vCPU model that a launch measures."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.abi.vcpu_start import signature_value
from catalog.errors import UsageError


@dataclass(frozen=True, slots=True, order=True)
class VcpuSignature:
    """The 32-bit family/model/stepping word; names such as EPYC-Milan are aliases of it (data).

    Source: AMD APM volume 3, CPUID Fn0000_0001_EAX.
    """

    value: int

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 0xFFFFFFFF:
            raise UsageError(f"vCPU signature {self.value:#x} is not a 32-bit number")

    @classmethod
    def of(cls, *, family: int, model: int, stepping: int) -> VcpuSignature:
        """From family (0-270), model (0-255) and stepping (0-15), as CPUID packs them.

        Raises UsageError for numbers that do not fit their fields.
        """
        for name, number, top in (
            ("family", family, 0xF + 0xFF),
            ("model", model, 0xFF),
            ("stepping", stepping, 0xF),
        ):
            if not 0 <= number <= top:
                raise UsageError(f"vCPU {name} {number} is not between 0 and {top}")
        return cls(signature_value(family, model, stepping))

    @property
    def family(self) -> int:
        base = self.value >> 8 & 0xF
        return base + (self.value >> 20 & 0xFF) if base == 0xF else base

    @property
    def model(self) -> int:
        return (self.value >> 16 & 0xF) << 4 | self.value >> 4 & 0xF

    @property
    def stepping(self) -> int:
        return self.value & 0xF

    def __str__(self) -> str:
        return f"{self.value:#010x}"
