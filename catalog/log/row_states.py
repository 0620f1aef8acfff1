"""RowStates: which rows are live, and what coming revocations select, by group where the rows of one are alike."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Sequence

from catalog.log.leaves.packed_rows import MOST_SLOT, Rows, groups_of, rows_with
from catalog.log.leaves.row_text import LARGEST, NONE
from catalog.log.records import RevokeRecord, Severity
from catalog.log.revocation_text import Value
from catalog.log.revocations import Revocations
from catalog.rows.digest_record import DigestRecord
from catalog.rows.endorsed_record import EndorsedRecord

_NONE_LEFT_OUT: array[int] = array("I")


class RowStates:
    """The state of rows and endorsed digests after the revocations of a log, and those that are about to be added.

    selected: for each coming revocation the number of rows and endorsed digests that it selects, by their severity
    before it.
    revoked: number of those that were counted and are not live.
    dead: for each group, by number, whether its rows are revoked, but for the odd ones; those after it are not.

    A row is odd if a selector names its digest or its vCPU count. All other rows of a group have one state.
    """

    def __init__(self, revokes: Sequence[RevokeRecord], coming: Sequence[RevokeRecord]) -> None:
        self.selected: list[Counter[Severity | None]] = [Counter() for _ in coming]
        self.revoked = 0
        self.dead = bytearray()
        self._coming = coming
        *self._before, self._then = (Revocations((*revokes, *coming[:count])) for count in range(len(coming) + 1))
        self._any = bool(revokes or coming)
        selectors = [record.selector for record in (*revokes, *coming)]
        digests = {_digest(one["launch_digest"]) for one in selectors if "launch_digest" in one}
        self._digests = sorted(digest for digest in digests if len(digest) == LARGEST)
        slots = {_slot(one["vcpus"]) for one in selectors if "vcpus" in one}
        self._slots = sorted(slot for slot in slots if slot <= MOST_SLOT)
        self._states: dict[int, tuple[bool, list[tuple[int, Severity | None]]]] = {}

    def count(self, record: DigestRecord | EndorsedRecord) -> bool:
        """Count a row or an endorsed digest; return whether it is live."""
        live, selected = self._state(record)
        self._add(1, live, selected)
        return live

    def is_live(self, record: DigestRecord | EndorsedRecord) -> bool:
        """Whether a row or an endorsed digest is not revoked."""
        return self._then.severity(record) != "revoked"

    def count_rows(self, rows: Rows, record: Callable[[int], DigestRecord]) -> tuple[array[int], list[int]]:
        """Count packed rows. record: the record of a row, by its number here.

        Gives the numbers of the odd rows, ascending, and of those among them that are live.
        """
        if not self._any:
            return _NONE_LEFT_OUT, []
        odd = rows_with(rows, self._digests, self._slots)
        live = [at for at in odd if self.count(record(at))]
        groups = groups_of(rows)
        count = len(groups)
        counted = Counter(groups)
        counted.subtract(groups[at] for at in odd)
        places: dict[int, int] = {}
        if any(group not in self._states for group, times in counted.items() if times):
            left_out = set(odd)
            places = {groups[at]: at for at in range(count) if at not in left_out}
        for group, times in counted.items():
            if times:
                if group not in self._states:
                    self._learn(group, record(places[group]))
                self._add(times, *self._states[group])
        return odd, live

    def _learn(self, group: int, record: DigestRecord) -> None:
        """Keep the state of the rows of a group. record: of one that is not odd."""
        self._states[group] = self._state(record)
        if not self._states[group][0]:
            self.dead.extend(bytes(max(0, group + 1 - len(self.dead))))
            self.dead[group] = 1

    def _state(self, record: DigestRecord | EndorsedRecord) -> tuple[bool, list[tuple[int, Severity | None]]]:
        """Whether a record is live, and for each coming revocation that selects it the severity before."""
        both = enumerate(zip(self._coming, self._before, strict=True))
        selected = [(at, before.severity(record)) for at, (coming, before) in both if coming.selects(record)]
        return self.is_live(record), selected

    def _add(self, times: int, live: bool, selected: list[tuple[int, Severity | None]]) -> None:
        """Count as many records of one state."""
        self.revoked += 0 if live else times
        for at, severity in selected:
            self.selected[at][severity] += times


def _digest(text: Value) -> bytes:
    """The digest of a selector, as in packed rows; another number of bytes if none can have it."""
    try:
        return bytes.fromhex(str(text)).ljust(LARGEST, b"\0")
    except ValueError:
        return b""


def _slot(vcpus: Value) -> int:
    """The slot of the vCPU count of a selector, of a packed row if it is not too large."""
    return (vcpus if isinstance(vcpus, int) else NONE) - NONE
