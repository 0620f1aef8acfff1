"""Lists of logs for witnesses: the log-list format `logs/v0` of the witness network.

Witnesses find logs in such a list. It adds logs to a witness; it never removes a log, nor exchanges a key.

Source: log-list-format.md of transparency-dev/witness-network at 995d5ce6c0a1a5543dd1d4d7f5d6368be7135525.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from catalog.errors import MalformedInput
from catalog.transparency.encoding import from_decimal, is_name
from catalog.transparency.keys import SignatureType, VerifierKey
from catalog.transparency.policy import Policy

HEADER = "logs/v0"

MAX_LIST = 1 << 24
"""Bytes: the largest list that is read. The public lists are for at most 40,000 logs."""

MAX_PER_DAY = (1 << 31) - 1
MAX_CONTACT = 1000
"""Characters."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_BLANKS = " \t\r"


@dataclass(frozen=True, slots=True)
class ListedLog:
    """A log for witnesses.

    key: Ed25519.
    per_day: how many add-checkpoint requests it sends a day at most.
    contact: how people reach its operator.
    origin: of its checkpoints.
    """

    key: VerifierKey
    per_day: int
    contact: str
    origin: str

    @classmethod
    def of(cls, key: VerifierKey, per_day: int, contact: str, origin: str | None = None) -> ListedLog:
        """origin: the name of the key if not given. Raises MalformedInput for what the format does not allow."""
        if key.type is not SignatureType.ED25519:
            raise MalformedInput(f"the {key.type.title} key of {key.name} cannot be in a list of logs: Ed25519 only")
        if not 0 < per_day <= MAX_PER_DAY:
            raise MalformedInput(f"requests a day: {per_day} is not a number from 1 to {MAX_PER_DAY}")
        if not contact or contact != contact.strip() or len(contact) > MAX_CONTACT or _CONTROL.search(contact):
            raise MalformedInput(f"a contact is one line of 1 to {MAX_CONTACT} characters, without blanks around it")
        if origin is not None and not is_name(origin):
            raise MalformedInput(f"{origin!r} is not an origin of a log")
        return cls(key, per_day, contact, origin or key.name)

    def __str__(self) -> str:
        origin = [] if self.origin == self.key.name else [f"origin {self.origin}"]
        lines = [f"vkey {self.key}", *origin, f"qpd {self.per_day}", f"contact {self.contact}"]
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class LogList:
    """A list of logs, each with an origin of its own."""

    logs: tuple[ListedLog, ...]

    @classmethod
    def parse(cls, data: bytes) -> LogList:
        """Parse a list. Raises MalformedInput, naming the line."""
        if len(data) > MAX_LIST:
            raise MalformedInput(f"the list of logs has more than {MAX_LIST} bytes")
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise MalformedInput("the list of logs is not UTF-8") from error
        numbered = ((number, line.strip(_BLANKS)) for number, line in enumerate(text.split("\n"), 1))
        lines = [(number, line) for number, line in numbered if line and not line.startswith("#")]
        if not lines or lines[0][1] != HEADER:
            raise MalformedInput(f"the list of logs does not begin with the line {HEADER}")
        reader = _Reader()
        for number, line in lines[1:]:
            try:
                reader.read(line)
            except MalformedInput as error:
                raise MalformedInput(f"line {number} of the list of logs: {error}", error.hint) from error
        return cls(reader.logs())

    def __bytes__(self) -> bytes:
        return "\n".join((f"{HEADER}\n", *map(str, self.logs))).encode()


class _Reader:
    """Collects logs line by line: vkey, perhaps origin, qpd, contact."""

    def __init__(self) -> None:
        self._logs: dict[str, ListedLog] = {}
        self._said: dict[str, str] = {}

    def read(self, line: str) -> None:
        """Read one line that is neither empty nor a comment. Raises MalformedInput."""
        keyword, _, value = line.partition(" ")
        if keyword not in _NEXT.get(next(reversed(self._said), ""), ()):
            raise MalformedInput(f"{keyword[:20]!r} is not expected here", "vkey, origin if it differs, qpd, contact")
        self._said[keyword] = value
        if keyword == "contact":
            self._add(**self._said)
            self._said = {}

    def logs(self) -> tuple[ListedLog, ...]:
        """Raises MalformedInput if the last log is not complete."""
        if self._said:
            raise MalformedInput("the last log of the list is not complete", "vkey, origin if it differs, qpd, contact")
        return tuple(self._logs.values())

    def _add(self, *, vkey: str, qpd: str, contact: str, origin: str | None = None) -> None:
        found = ListedLog.of(VerifierKey.parse(vkey), from_decimal(qpd, "qpd"), contact, origin)
        if found.origin in self._logs:
            raise MalformedInput(f"{found.origin} is listed twice")
        self._logs[found.origin] = found


_NEXT = {"": ("vkey",), "vkey": ("origin", "qpd"), "origin": ("qpd",), "qpd": ("contact",)}
"""Which lines may follow a line."""


def logs_to_witness(data: bytes) -> dict[str, tuple[VerifierKey, ...]]:
    """Keys by origin, from a list of logs or from the log lines of a tlog-policy. Raises MalformedInput."""
    lines = (line.strip(_BLANKS.encode()) for line in data.split(b"\n"))
    if next((line for line in lines if line and not line.startswith(b"#")), b"").startswith(b"logs/"):
        return {log.origin: (log.key,) for log in LogList.parse(data).logs}
    return keys_by_name(Policy.parse(data).logs)


def keys_by_name(keys: Iterable[VerifierKey]) -> dict[str, tuple[VerifierKey, ...]]:
    """Keys by their names, which are the origins of the logs."""
    found: dict[str, tuple[VerifierKey, ...]] = {}
    for key in keys:
        found[key.name] = (*found.get(key.name, ()), key)
    return found
