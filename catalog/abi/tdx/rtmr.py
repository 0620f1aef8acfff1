"""RTMRs that follow from an event log: each event is folded into its register, which begins as zeros.

Source: Intel TDX Module Base Architecture Specification, TDG.MR.RTMR.EXTEND: RTMR = SHA-384(RTMR || digest).
"""

from __future__ import annotations

import hashlib

from catalog.abi.tdx.event_log import DIGEST_SIZE, REGISTERS, EventLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

RTMRS = REGISTERS[1:]
INITIAL = bytes(DIGEST_SIZE)


def replay(log: EventLog) -> tuple[bytes, ...]:
    """RTMR0 to RTMR3 after every event of a log, 48 bytes each."""
    registers = [INITIAL] * len(REGISTERS)
    for event in log.events:
        if event.is_extended:
            registers[event.register] = hashlib.sha384(registers[event.register] + event.digest).digest()
    return tuple(registers[1:])


def differing(log: EventLog, rtmrs: Sequence[bytes]) -> tuple[str, ...]:
    """Names of the RTMRs that a log does not lead to. rtmrs: RTMR0 to RTMR3 of a quote or TD report."""
    return tuple(name for name, ours, theirs in zip(RTMRS, replay(log), rtmrs, strict=True) if ours != theirs)
