"""Revocations: which records of a log are revoked or deprecated, and how a revoke record is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, Protocol, TypeVar

from catalog.errors import UsageError
from catalog.log.records import RevokeRecord, Severity, selectable_value
from catalog.log.revocation_text import INVALID_REASON, Value, is_reason
from catalog.rows.digest_record import DigestRecord
from catalog.rows.endorsed_record import EndorsedRecord


class Revoking(Protocol):
    """A revoke record, or an entry of the list of a release."""

    @property
    def selector(self) -> Mapping[str, Value]: ...

    @property
    def severity(self) -> Severity: ...


AnyRevocation = TypeVar("AnyRevocation", bound=Revoking)


class Revocations(Generic[AnyRevocation]):
    """Revocations in the order of their log: of those that select a row, the newest counts."""

    def __init__(self, revocations: Iterable[AnyRevocation]) -> None:
        self._revocations = tuple(revocations)
        self._newest: dict[tuple[str, ...], dict[tuple[Value, ...], int]] = {}
        for number, one in enumerate(self._revocations):
            names = tuple(sorted(one.selector))
            values = tuple(one.selector[name] for name in names)
            self._newest.setdefault(names, {})[values] = number

    def status(self, row: DigestRecord | EndorsedRecord) -> AnyRevocation | None:
        """What revokes or deprecates a row or an endorsed digest; None if nothing does, or it is restored."""
        newest = -1
        for names, numbers in self._newest.items():
            newest = max(newest, numbers.get(tuple(selectable_value(row, name) for name in names), -1))
        found = self._revocations[newest] if newest >= 0 else None
        return None if found is None or found.severity == "restored" else found

    def severity(self, row: DigestRecord | EndorsedRecord) -> Severity | None:
        """The severity of `status`."""
        found = self.status(row)
        return None if found is None else found.severity


def new_revocation(selector: Mapping[str, Value], severity: Severity, reason: str) -> RevokeRecord:
    """Make a revoke record. Raises UsageError for an empty selector, or a reason that is not one printable line."""
    if not selector:
        raise UsageError("nothing is selected", "give --digest, --firmware, --vmm ...; a row has to match all of them")
    if not is_reason(reason):
        raise UsageError(INVALID_REASON)
    return RevokeRecord(type="revoke", selector=dict(selector), severity=severity, reason=reason)
