"""Settings that say what a guest has to be launched with: its policy and its security version number."""

from __future__ import annotations

from catalog.abi.guest_policy import SnpPolicy
from catalog.errors import UsageError
from catalog.export.settings import DEFAULT_POLICY, Settings


def guest_policy(settings: Settings) -> SnpPolicy:
    """The guest policy; raises UsageError for bits that are not known, and if the reserved bit 17 is clear."""
    value = DEFAULT_POLICY if settings.policy is None else settings.policy
    if not 0 <= value < 1 << 64:
        raise UsageError(f"{value:#x} is no guest policy of 64 bits", f"--policy {DEFAULT_POLICY:#x} is the default")
    policy = SnpPolicy.parse(value)
    clear = [bit for bit in policy.unknown_bits if policy.ONES >> bit & 1]
    if clear:
        raise UsageError(
            f"bit {clear[0]} of the guest policy must be 1; {value:#x} has it clear",
            f"--policy {DEFAULT_POLICY:#x} is what QEMU launches with",
        )
    if reason := policy.unknown_text("guest policy"):
        raise UsageError(f"{reason}, in {value:#x}", f"--policy {DEFAULT_POLICY:#x} is what QEMU launches with")
    return policy


def guest_svn(settings: Settings) -> int:
    """The security version number, 0 by default; raises UsageError if it does not have 32 bits."""
    found = settings.guest_svn or 0
    if not 0 <= found < 1 << 32:
        raise UsageError(f"{found} is no security version number of 32 bits", "give another one: --guest-svn")
    return found
