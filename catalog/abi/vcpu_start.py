"""How a vCPU starts: its address, the register that holds its signature, and the bit of SEV-SNP.

Source: AMD APM volume 2, table B-4; volume 3, CPUID Fn0000_0001_EAX.
"""

from __future__ import annotations

RESET_EIP = 0xFFFFFFF0
"""Address where the BSP starts: the x86 reset vector."""

SIGNATURE = "vcpu-signature"
"""Value of a register, in a VMM profile, that holds the vCPU signature, CPUID Fn0000_0001 EAX."""

SNP_ACTIVE = 1 << 0
"""sev_features bit 0, set under SEV-SNP only."""


def signature_value(family: int, model: int, stepping: int) -> int:
    """The signature of a family (0-270), model (0-255) and stepping (0-15), as CPUID packs them."""
    base_family = min(family, 0xF)
    return (family - base_family) << 20 | (model >> 4) << 16 | base_family << 8 | (model & 0xF) << 4 | stepping


def start_of(eip: int) -> tuple[int, int]:
    """Base of CS and RIP, in real mode, of a vCPU that starts at a 32-bit address."""
    return eip & 0xFFFF0000, eip & 0xFFFF
