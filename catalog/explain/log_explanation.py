"""Which events of a TD's log are known, which are not what was expected, and which nobody can compare.

No RTMR is predicted: RTMR0 depends on the TD HOB and the ACPI tables, which follow from the VMM's command line, and
RTMR1 on boot loaders and disks. A log that leads to the RTMRs of a verified quote is proven: each digest was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.abi.tdx.event_data import described, states_digest
from catalog.abi.tdx.event_log import REGISTERS, EventLog, TdEvent
from catalog.abi.tdx.event_types import type_name
from catalog.abi.tdx.rtmr import RTMRS, differing, replay
from catalog.explain.log_inputs import KnownFirmware, LogInputs
from catalog.explain.log_kinds import FIRMWARE, FIXED, kind_of, must_be_given
from catalog.notes import Note, worst_first

KNOWN, DIFFERS, NOT_COMPARED, NOT_COVERED = "known", "differs", "not compared", "not covered"
"""Something known has this digest. It is of what was given or recorded, and nothing of that has it. Nothing was given
or recorded to compare it with. It follows from what ldcat does not know.
"""


@dataclass(frozen=True, slots=True)
class EventVerdict:
    """event: number. kind: of log_kinds. matches: what has its digest, for people. stated: as `states_digest`."""

    number: int
    event: TdEvent
    kind: str
    verdict: str
    matches: Sequence[str]
    stated: bool | None

    def to_dict(self) -> dict[str, Any]:
        """An element of `events` in the JSON of `ldcat explain`."""
        return {
            "number": self.number,
            "register": REGISTERS[self.event.register],
            "type": type_name(self.event.type),
            "digest": self.event.digest.hex(),
            "what": described(self.event),
            "kind": self.kind,
            "verdict": self.verdict,
            "matches": list(self.matches),
            "digest_is_of_data": self.stated,
        }


@dataclass(frozen=True, slots=True)
class FirmwareVerdict:
    """known, differs: kinds of the events of an image that the log has, and that it has otherwise or not at all.

    mrtd: whether the MRTD of the evidence is one of the image; None if either is not known.
    """

    firmware: KnownFirmware
    known: Sequence[str]
    differs: Sequence[str]
    mrtd: bool | None

    @property
    def is_compared(self) -> bool:
        """Whether anything of it could be compared."""
        return bool(self.known or self.differs) or self.mrtd is not None

    @property
    def is_it(self) -> bool:
        """Whether everything of it that could be compared is as in the log and the evidence."""
        return self.is_compared and not self.differs and self.mrtd is not False

    def to_dict(self) -> dict[str, Any]:
        """An element of `firmware` in the JSON of `ldcat explain`."""
        return {
            "name": self.firmware.name,
            "matches": self.is_it,
            "known": list(self.known),
            "differs": list(self.differs),
            "mrtd_matches": self.mrtd,
            "why_unknown": self.firmware.why_unknown,
        }


@dataclass(frozen=True, slots=True)
class LogExplanation:
    """log, with what each event is. rtmrs: of a quote, or None. left_out: as of LogInputs.

    verified: whether the quote is. missing: kinds of files that were given, and of which none was measured.
    """

    log: EventLog
    events: Sequence[EventVerdict]
    firmware: Sequence[FirmwareVerdict]
    rtmrs: Sequence[bytes] | None
    left_out: Sequence[str] = ()
    verified: bool = False
    missing: Sequence[str] = ()

    @property
    def is_explained(self) -> bool:
        """Whether something is known that is not the same at every boot, and nothing that was compared differs.

        If firmware was compared, one image must have all the events that are firmware's, and the MRTD if one is given.
        """
        verdicts = {one.verdict for one in self.events if one.kind != FIXED}
        wrong = self.rtmrs is not None and bool(differing(self.log, self.rtmrs))
        compared = [one for one in self.firmware if one.is_compared]
        has_events = any(one.known for one in compared)
        has_firmware = not compared or any(one.is_it and (one.known or not has_events) for one in compared)
        return not wrong and not self.missing and has_firmware and KNOWN in verdicts and DIFFERS not in verdicts

    def notes(self) -> list[Note]:
        """What to know before relying on the answer, the worst first."""
        is_known = any(one.mrtd for one in self.firmware)
        said = [*self.log.notes, self._replayed(), *self._false_data(), *(() if is_known else [_NO_FIRMWARE])]
        return worst_first([*said, *self._not_covered(), _NOT_PREDICTED])

    def to_dict(self) -> dict[str, Any]:
        """The member `event_log` in the JSON of `ldcat explain`."""
        wrong = None if self.rtmrs is None else differing(self.log, self.rtmrs)
        return {
            "explained": self.is_explained,
            "registers": [
                {"name": name, "replayed": value.hex(), "matches": None if wrong is None else name not in wrong}
                for name, value in zip(RTMRS, replay(self.log), strict=True)
            ],
            "events": [one.to_dict() for one in self.events],
            "firmware": [one.to_dict() for one in self.firmware],
            "left_out": list(self.left_out),
            "missing": list(self.missing),
            "notes": [note.to_dict() for note in self.notes()],
        }

    def _replayed(self) -> Note:
        if self.rtmrs is None:
            return Note("event-log-not-proven", "nothing vouches for the log: no quote or TD report was given with it")
        if wrong := differing(self.log, self.rtmrs):
            return Note(
                "event-log-differs", f"the log does not lead to the quoted {', '.join(wrong)}: do not rely on it"
            )
        if not self.verified:
            text = "the log leads to the RTMRs that are stated, and nothing verifies these: neither is proven"
            return Note("event-log-not-proven", text)
        return Note("event-log-matches", "the log leads to the RTMRs of the verified quote")

    def _not_covered(self) -> list[Note]:
        """What else was measured where the files of a boot are: the types and texts of a log are not measured."""
        of_boot = [one for one in self.events if one.event.register in _OF_BOOT and one.verdict == NOT_COVERED]
        if not of_boot:
            return []
        numbers = ", ".join(str(one.number) for one in of_boot[:_NUMBERS]) + (" ..." if len(of_boot) > _NUMBERS else "")
        text = f"events {numbers} of RTMR1 and RTMR2 can be anything that was booted: only their digests are measured"
        return [Note("event-not-covered", text)]

    def _false_data(self) -> list[Note]:
        numbers = ", ".join(str(one.number) for one in self.events if one.stated is False)
        if not numbers:
            return []
        return [Note("event-data-differ", f"what the log says is not what was measured, for events {numbers}")]


_OF_BOOT = (2, 3)
"""Registers of a log for RTMR1 and RTMR2: kernel, initrd and command line are there."""

_NUMBERS = 8
"""Numbers of events that a note lists."""

_NO_FIRMWARE = Note(
    "event-log-of-any-firmware",
    "no image with the MRTD of the TD is known: other firmware can log, and extend, whatever it likes",
)
_NOT_PREDICTED = Note(
    "rtmr-not-predicted",
    "no RTMR is predicted: RTMR0 depends on the memory and the ACPI tables that follow from the VMM's command line",
)


def explain_log(
    log: EventLog,
    inputs: LogInputs,
    *,
    mrtd: bytes | None = None,
    rtmrs: Sequence[bytes] | None = None,
    verified: bool = False,
) -> LogExplanation:
    """Compare every event with what is known. mrtd, rtmrs: of a quote or TD report, 48 bytes each.

    verified: whether these are those of a verified quote.
    """
    named = inputs.named()
    events = [_verdict(number, event, named) for number, event in enumerate(log.events) if event.is_extended]
    firmware = [_of_firmware(one, events, mrtd) for one in inputs.firmware]
    of_user = firmware[: inputs.given]
    firmware.sort(key=lambda one: (not one.is_it, len(one.differs)))
    measured = {one.event.digest for one in events}
    missing = [what for what, digests in inputs.asked.items() if not digests & measured]
    if any(one.is_compared for one in of_user) and not any(one.is_it for one in of_user):
        missing.insert(0, "firmware")
    return LogExplanation(log, events, firmware, rtmrs, inputs.left_out, verified, missing)


def _verdict(number: int, event: TdEvent, named: Mapping[str, Mapping[bytes, Sequence[str]]]) -> EventVerdict:
    kind = kind_of(event)
    against = named.get(kind, {})
    matches = against.get(event.digest, ())
    if matches or kind == FIXED:
        verdict = KNOWN
    elif not must_be_given(event, kind):
        verdict = NOT_COVERED
    else:
        verdict = DIFFERS if against else NOT_COMPARED
    return EventVerdict(number, event, kind, verdict, matches, states_digest(event))


def _of_firmware(firmware: KnownFirmware, events: Sequence[EventVerdict], mrtd: bytes | None) -> FirmwareVerdict:
    """An event must be there once: firmware measures each of these once."""
    known: list[str] = []
    differs: list[str] = []
    expected_digests = firmware.rtmr.digests if firmware.rtmr else {}
    for kind in FIRMWARE:
        expected = expected_digests.get(kind)
        found = [one.event.digest for one in events if one.kind == kind]
        if expected is not None:
            (known if found == [expected] else differs).append(kind)
    is_its = mrtd in firmware.mrtd.values() if mrtd is not None and firmware.mrtd else None
    return FirmwareVerdict(firmware, known, differs, is_its)
