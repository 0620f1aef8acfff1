"""TcbLevel: which status Intel gives to security versions, for a platform, for its TDX module, and for its QE.

Source: Intel PCS API version 4, TCB Info for TDX and Enclave Identity (the algorithms of both); google/go-tdx-guest,
verify/verify.go.
"""

from __future__ import annotations

from catalog.endorse.report_finding import Finding
from catalog.endorse.tdx.json_members import as_object, number_of, object_of, text_of
from catalog.errors import MalformedInput
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

UP_TO_DATE = "UpToDate"
_NEEDS_SOMETHING = ("SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded")
"""Statuses of a TCB that is the newest, but is safe only with software or settings that a quote does not show."""


class TcbLevel(Value):
    """A status, since a date, with the advisories that say why. date: as it is stated, such as 2024-11-13."""

    status: str
    date: str
    advisories: tuple[str, ...]

    @classmethod
    def parse(cls, level: Mapping[str, Any]) -> TcbLevel:
        """Of an entry of `tcbLevels`; raises MalformedInput."""
        advisories = level.get("advisoryIDs", [])
        if not isinstance(advisories, list):
            raise MalformedInput("advisoryIDs of a TCB level are no list")
        return cls(text_of(level, "tcbStatus"), text_of(level, "tcbDate")[:10], tuple(map(str, advisories)))

    def finding(self, code: str, what: str, *, strict: bool) -> Finding:
        """Whether the status is good enough. strict: only the best one is."""
        passed = True if self.status == UP_TO_DATE else False if strict or self.status not in _NEEDS_SOMETHING else None
        why = f"; {', '.join(self.advisories)}" if self.advisories else ""
        return Finding(code, passed, f"the status of {what} is {self.status} (level of {self.date}{why})")


def level_of_svn(levels: Sequence[Any], svn: int) -> TcbLevel | None:
    """The first level with an `isvsvn` that is at most this one; None if there is none. Raises MalformedInput."""
    for level in levels:
        if svn >= number_of(object_of(as_object(level, "a TCB level"), "tcb"), "isvsvn"):
            return TcbLevel.parse(level)
    return None
