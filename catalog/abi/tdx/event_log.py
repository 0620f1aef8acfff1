"""Event logs of TDs: what was extended to which RTMR, as the firmware leaves it in the area that the CCEL table names.

Nothing in a log is protected: a quote vouches for it, if the RTMRs that follow from the log are those of the quote.

Source: TCG PC Client Platform Firmware Profile 1.06, 10.2 (TCG_PCR_EVENT, TCG_PCR_EVENT2) and 10.4.5.1
(TCG_EfiSpecIDEvent); UEFI 2.10, 38.4.1 (registers of TDX); edk2 OvmfPkg/Tcg/TdTcg2Dxe/TdTcg2Dxe.c.
"""

from __future__ import annotations

import struct

from catalog.errors import MalformedInput
from catalog.notes import Note
from catalog.values import Value

MAX_LOG_SIZE = 16 << 20
"""Bytes of a log with what fills its area. Known areas have 64 KiB to 1 MiB."""

MAX_EVENTS = 8192
MAX_DIGESTS = 8
"""Events of a log, and digests of an event. Known logs have 5 to 87 events with one digest each."""

REGISTERS = ("MRTD", "RTMR0", "RTMR1", "RTMR2", "RTMR3")
"""Measurement registers by the index that a log has for them."""

EV_NO_ACTION = 0x03

SHA384, DIGEST_SIZE = 0x0C, 48
_SIZES = {0x04: 20, 0x0B: 32, SHA384: DIGEST_SIZE, 0x0D: 64, 0x12: 32}
"""Bytes of a digest by TPM_ALG_ID: SHA-1, SHA-256, SHA-384, SHA-512, SM3."""

_HEADER = struct.Struct("<II20sI")
_SPEC_ID = struct.Struct("<16sIBBBBI")
_SIGNATURE = b"Spec ID Event03\0"
_FILLING = (b"\xff" * 8, bytes(8))
_NO_LOG = "give the log of a TD: /sys/firmware/acpi/tables/data/CCEL"


class TdEvent(Value):
    """An event.

    register: index in REGISTERS. type: 32 bits, of TCG. digest: SHA-384, 48 bytes, with which the register was
    extended. data: what the log says about it; the digest is often, but not always, that of the data.
    """

    register: int
    type: int
    digest: bytes
    data: bytes

    @property
    def is_extended(self) -> bool:
        """Whether the event changed an RTMR; MRTD does not change while the firmware runs."""
        return self.type != EV_NO_ACTION and self.register > 0


class EventLog(Value):
    """An event log. events: in order, without the one that describes the format. notes: on how it was read."""

    events: tuple[TdEvent, ...]
    notes: tuple[Note, ...] = ()


def is_event_log(raw: bytes) -> bool:
    """Whether bytes begin as a crypto-agile event log does, of a TD or of a TPM."""
    return raw[4:8] == EV_NO_ACTION.to_bytes(4, "little") and raw[32:48] == _SIGNATURE


def parse_event_log(raw: bytes) -> EventLog:
    """Read a log, with or without what fills its area: 0xFF or zeros.

    Raises MalformedInput for another format, for one that ends early, and for a log without SHA-384 or of a TPM.
    """
    if len(raw) > MAX_LOG_SIZE:
        raise MalformedInput(f"the event log has more than {MAX_LOG_SIZE >> 20} MiB")
    if not is_event_log(raw):
        raise MalformedInput("this is no event log: it does not begin with 'Spec ID Event03'", _NO_LOG)
    sizes, at = _digest_sizes(raw)
    events: list[TdEvent] = []
    while at < len(raw) and raw[at : at + 8] not in _FILLING:
        if len(events) == MAX_EVENTS:
            raise MalformedInput(f"the event log has more than {MAX_EVENTS:,} events")
        event, at = _event(raw, at, sizes, len(events))
        events.append(event)
    return EventLog(tuple(events), _notes(raw[at:]))


def checked_register(register: int, number: int) -> int:
    """The index of a register; raises MalformedInput for one that a TD does not have. number: of the event."""
    if not 0 <= register < len(REGISTERS):
        raise MalformedInput(
            f"event {number} of the log is of register {register}, and a TD has 0 to {len(REGISTERS) - 1}", _NO_LOG
        )
    return register


def _digest_sizes(raw: bytes) -> tuple[dict[int, int], int]:
    """Bytes of a digest by algorithm, from the first event, and the offset behind it."""
    _, _, _, size = _HEADER.unpack_from(raw)
    data = raw[_HEADER.size : _HEADER.size + size]
    if len(data) < size or size < _SPEC_ID.size:
        raise MalformedInput("the event log ends within its first event")
    *_, count = _SPEC_ID.unpack_from(data)
    end = _SPEC_ID.size + 4 * count
    if not 0 < count <= MAX_DIGESTS or end >= size or end + 1 + data[end] != size:
        raise MalformedInput(f"the first event of the log has {count} algorithms, which do not fit in {size} bytes")
    sizes = dict(struct.iter_unpack("<HH", data[_SPEC_ID.size : end]))
    for algorithm, stated in sizes.items():
        if _SIZES.get(algorithm, stated) != stated:
            raise MalformedInput(f"the event log states {stated} bytes for algorithm {algorithm:#x}")
    if SHA384 not in sizes:
        raise MalformedInput("the event log has no SHA-384 digests, and RTMRs are extended with nothing else", _NO_LOG)
    return sizes, _HEADER.size + size


def _event(raw: bytes, at: int, sizes: dict[int, int], number: int) -> tuple[TdEvent, int]:
    """The event at an offset, and the offset behind it."""
    early = MalformedInput(f"the event log ends within event {number}")
    if at + 12 > len(raw):
        raise early
    register, kind, count = struct.unpack_from("<III", raw, at)
    checked_register(register, number)
    if not 0 < count <= MAX_DIGESTS:
        raise MalformedInput(f"event {number} of the log has {count} digests")
    at += 12
    digests: dict[int, bytes] = {}
    for _ in range(count):
        algorithm = int.from_bytes(raw[at : at + 2], "little")
        if algorithm not in sizes or algorithm in digests:
            raise MalformedInput(
                f"event {number} of the log has a digest of algorithm {algorithm:#x}, which is not right"
            )
        digests[algorithm] = raw[at + 2 : at + 2 + sizes[algorithm]]
        at += 2 + sizes[algorithm]
    if SHA384 not in digests:
        raise MalformedInput(f"event {number} of the log has no SHA-384 digest")
    if at + 4 > len(raw):
        raise early
    size = int.from_bytes(raw[at : at + 4], "little")
    if size > len(raw) - at - 4:
        raise early
    return TdEvent(register, kind, digests[SHA384], raw[at + 4 : at + 4 + size]), at + 4 + size


def _notes(rest: bytes) -> tuple[Note, ...]:
    """What is behind the last event: nothing, or one byte value."""
    if not rest.strip(rest[:1]):
        return ()
    return (Note("event-log-has-rest", "behind the last event of the log is something that was not read"),)
