"""Prepared answers: the JSON of a digest that one row has, put together from pieces without encoding it again.

The rows of a group of the index have the same components, and differ in digest, vCPUs, CPU and features. What the
definition (`found_answer`) writes for a row of made-up values is cut where these are; an answer is these pieces with
the values of its row. Pieces are used only if they give the bytes of the definition for the row they were made for.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from catalog.abi.digest import LaunchDigest
from catalog.ask.answer import Answer, found_answer
from catalog.ask.lookup import Lookups
from catalog.ask.verification import VerificationInputs
from catalog.errors import LdcatError
from catalog.evidence.evidence import Evidence
from catalog.fast.match import Match
from catalog.rows.fields import BY_NAME
from catalog.web.replies import json_bytes

if TYPE_CHECKING:
    from catalog.fast.index import Group, Row

MAX_PREPARED = 16 << 20
"""Bytes of pieces that are made of one shape; the definition answers for groups beyond."""

_MAX_TEXTS = 10_000
"""CPUs with features whose texts are kept."""

_DIFFER = ("launch_digest", "vcpus", "vcpu_signature", "sev_features")
"""The fields in which rows of a group differ."""

Values = tuple[bytes, ...]
"""What differs in an answer, as it is in JSON: _DIFFER without quotes, then the names of the CPU without brackets."""

Shape = Callable[[LaunchDigest, Answer], Any]
"""What is written of an answer, such as its JSON, or that of one digest of a batch."""


class Marks:
    """Made-up values for a row whose digest has `size` bytes: by them it is found where they are in an answer.

    row: vCPU signature, sev_features, vCPU count. name: of the CPU. values: as in JSON.
    """

    def __init__(self, size: int) -> None:
        self.digest, self.row, self.name = os.urandom(size), (_made_up(), _made_up(), _made_up()), _made_up()
        signature, features, vcpus = self.row
        texts = _text("vcpu_signature", signature), _text("sev_features", features)
        self.values: Values = (self.digest.hex().encode(), b"%d" % vcpus, *texts, b'"%d"' % self.name)
        self.places = {value: number for number, value in enumerate(self.values)}
        self.pattern = re.compile(b"(" + b"|".join(map(re.escape, self.values)) + b")")


class Pieces:
    """An answer as what is the same in all, and which of the values go between."""

    def __init__(self, text: bytes, marks: Marks) -> None:
        """text: an answer that has values of `marks` in place of those of a row."""
        found = marks.pattern.split(text)
        self._same = (*found[::2], b"")
        parts = (marks.places[one] if at % 2 else len(marks.values) + at // 2 for at, one in enumerate(found))
        self._parts = itemgetter(*parts, -1)  # the last is empty: itemgetter of one gives no tuple

    def __len__(self) -> int:
        return sum(map(len, self._same))

    def of(self, values: Values) -> bytes:
        """The answer with these values."""
        return b"".join(self._parts(values + self._same))


class PreparedAnswers:
    """The answers of a release in one shape. None of them: the definition has to be asked."""

    def __init__(self, lookups: Lookups, shape: Shape) -> None:
        self._lookups = lookups
        self._endorsements = lookups.catalog.endorsements
        self._has_endorsements = bool(lookups.catalog.endorsements.records)
        self._shape = shape
        self._made: dict[Group, Pieces | None] = {}
        self._absent: dict[int, Pieces] = {}
        self._texts: dict[tuple[int | None, int | None], tuple[bytes, bytes, bytes]] = {}
        self._marks: dict[int, Marks] = {}
        self._size = 0
        self._revoked = _revoked(lookups)

    def found(self, digest: bytes) -> bytes | None:
        """The answer to a digest that just one row has."""
        rows = self._lookups.rows(digest)
        if not rows or len(rows) > 1 or (self._has_endorsements and self._endorsements.of(digest)):
            return None
        technology, group, (signature, features, vcpus) = rows[0]
        texts = self._texts.get((signature, features)) or self._texts_of(signature, features)
        values = digest.hex().encode(), b"%d" % vcpus if vcpus is not None else b"", *texts
        if self._revoked and any(chosen(values) in revoked for chosen, revoked in self._revoked):
            return None
        pieces = self._made.get(group)
        if pieces is not None:
            return pieces.of(values)
        if group in self._made or self._size > MAX_PREPARED:
            return None
        return self._make(digest, technology, group, rows[0][2], values)

    def absent(self, digest: bytes) -> bytes | None:
        """The answer to a digest that no row has, and nobody endorses."""
        if self._lookups.rows(digest) != [] or (self._has_endorsements and self._endorsements.of(digest)):
            return None
        size = len(digest)
        if size not in self._absent:
            marks = self._marks_of(size)
            self._absent[size] = Pieces(self._defined(marks.digest, ()), marks)
        return self._absent[size].of((digest.hex().encode(), b"", b"", b"", b""))

    def _texts_of(self, signature: int | None, features: int | None) -> tuple[bytes, bytes, bytes]:
        """The last three of the values of a row."""
        if len(self._texts) >= _MAX_TEXTS:
            self._texts.clear()
        names = json_bytes(list(self._lookups.vcpu_types(signature)))[1:-1]
        texts = _text("vcpu_signature", signature), _text("sev_features", features), names
        self._texts[signature, features] = texts
        return texts

    def _make(self, digest: bytes, technology: str, group: Group, row: Row, values: Values) -> bytes | None:
        """Keep the pieces of the group of a row, if they give the answer of the definition, which is returned."""
        marks, pieces, expected = self._marks_of(len(digest)), None, None
        signature, features, vcpus = (None if own is None else mark for own, mark in zip(row, marks.row, strict=True))
        try:
            matches = self._lookups.matches(marks.digest, technology, group, (signature, features, vcpus))
            for match in matches:
                if signature is not None:
                    match.vcpu_types = (str(marks.name),)
            pieces = Pieces(self._defined(marks.digest, matches), marks)
            expected = self._defined(digest, self._lookups.lookup(LaunchDigest(digest)))
        except LdcatError:
            pass
        self._made[group] = pieces if pieces and pieces.of(values) == expected else None
        self._size += len(pieces or ()) + 200
        return expected

    def _marks_of(self, size: int) -> Marks:
        if size not in self._marks:
            self._marks[size] = Marks(size)
        return self._marks[size]

    def _defined(self, digest: bytes, matches: Sequence[Match]) -> bytes:
        evidence = Evidence("launch digest", LaunchDigest(digest))
        now = VerificationInputs(now=time.time())
        answer = found_answer(self._lookups.catalog, evidence, now, lambda _: matches)
        return json_bytes(self._shape(LaunchDigest(digest), answer))


def _revoked(lookups: Lookups) -> list[tuple[Callable[[Values], Any], set[Any]]]:
    """Which of the values of a row revocations select, and the values that are selected.

    A row with none of these is revoked if its components are, which all rows of its group have: its pieces say so.
    """
    found: dict[tuple[int, ...], set[Any]] = {}
    for one in lookups.catalog.revocations:
        places = tuple(place for place, name in enumerate(_DIFFER) if name in one.selector)
        if places:
            values = tuple(_in_json(one.selector[_DIFFER[place]]) for place in places)
            found.setdefault(places, set()).add(values if len(places) > 1 else values[0])
    return [(itemgetter(*places), values) for places, values in found.items()]


def _in_json(value: Any) -> bytes:
    return b"" if value is None else str(value).encode()


def _text(name: str, value: int | None) -> bytes:
    return b"" if value is None else str(BY_NAME[name].text(value)).encode()


def _made_up() -> int:
    """A number that no row has, and no text by chance."""
    return int.from_bytes(os.urandom(7), "big") | 1 << 57
