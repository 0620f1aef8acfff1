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
from catalog.fast.verity import DamagedBlock
from catalog.rows.fields import BY_NAME
from catalog.web.replies import json_bytes

if TYPE_CHECKING:
    from catalog.fast.index import Group

MAX_PREPARED = 16 << 20
"""Bytes of what is made for one shape; the definition answers for groups beyond."""

_VALUE = 200
"""Bytes that the texts of one CPU take; those of a vCPU count, and a group without its pieces, take less."""

_DIFFER = ("launch_digest", "vcpus", "vcpu_signature", "sev_features")
"""The fields in which rows of a group differ."""

Values = tuple[bytes, ...]
"""What differs in an answer, as it is in JSON: _DIFFER without quotes, then the names of the CPU without brackets."""

Cpu = tuple[bytes, bytes, bytes]
"""The last three values: of a vCPU signature with sev_features."""

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


class PreparedGroup:
    """What the answers of a group are made of.

    counts: its vCPU counts as in JSON. cpus: every signature with every sev_features, in the order of its rows.
    """

    __slots__ = ("_counts", "_cpus", "_first", "pieces")

    def __init__(self, group: Group, cpus: tuple[Cpu, ...], pieces: Pieces) -> None:
        self._first = group.first
        self._counts = tuple(b"%d" % count for count in group.counts) or (b"",)
        self._cpus = cpus
        self.pieces = pieces

    def values(self, digest: bytes, ordinal: int) -> Values:
        """What differs in the answer to a row."""
        cpu, step = divmod(ordinal - self._first, len(self._counts))
        return digest.hex().encode(), self._counts[step], *self._cpus[cpu]


class PreparedAnswers:
    """The answers of a release in one shape. None of them: the definition has to be asked."""

    def __init__(self, lookups: Lookups, shape: Shape) -> None:
        self._lookups = lookups
        self._endorsements = lookups.catalog.endorsements
        self._has_endorsements = bool(lookups.catalog.endorsements.records)
        self._shape = shape
        self._made: dict[Group, PreparedGroup | None] = {}
        self._absent: dict[int, Pieces] = {}
        self._cpus: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[Cpu, ...]] = {}
        self._marks: dict[int, Marks] = {}
        self._size = 0
        self._revoked = _revoked(lookups)

    def found(self, digest: bytes) -> bytes | None:
        """The answer to a digest that just one row has."""
        places = self._lookups.places(digest)
        if not places or len(places) > 1 or (self._has_endorsements and self._endorsements.of(digest)):
            return None
        technology, index, ordinal = places[0]
        try:
            group = index.group_of(ordinal)
        except DamagedBlock:
            return None  # a lookup warns, and reads the Parquet files
        made = self._made.get(group) or self._make(digest, technology, group, ordinal)
        if made is None:
            return None
        values = made.values(digest, ordinal)
        if self._revoked and self._is_revoked(values):
            return None
        return made.pieces.of(values)

    def absent(self, digest: bytes) -> bytes | None:
        """The answer to a digest that no row has, and nobody endorses."""
        if self._lookups.places(digest) != [] or (self._has_endorsements and self._endorsements.of(digest)):
            return None
        size = len(digest)
        if size not in self._absent:
            marks = self._marks_of(size)
            self._absent[size] = Pieces(self._defined(marks.digest, ()), marks)
        return self._absent[size].of((digest.hex().encode(), b"", b"", b"", b""))

    def _make(self, digest: bytes, technology: str, group: Group, ordinal: int) -> PreparedGroup | None:
        """Keep the pieces of the group of a row, if they give the answer of the definition to it."""
        if group in self._made or self._size + _VALUE * (_cpus_in(group) + len(group.counts)) > MAX_PREPARED:
            return None
        marks, made = self._marks_of(len(digest)), None
        row = (None if own is None else mark for own, mark in zip(group.at(ordinal), marks.row, strict=True))
        signature, features, vcpus = row
        try:
            matches = self._lookups.matches(marks.digest, technology, group, (signature, features, vcpus))
            for match in matches:
                if signature is not None:
                    match.vcpu_types = (str(marks.name),)
            made = PreparedGroup(group, self._cpus_of(group), Pieces(self._defined(marks.digest, matches), marks))
            values = made.values(digest, ordinal)
            if self._is_revoked(values):
                return None  # what is made is compared with an answer of another row
            if made.pieces.of(values) != self._defined(digest, self._lookups.lookup(LaunchDigest(digest))):
                made = None
        except LdcatError:
            made = None
        self._made[group] = made
        self._size += _VALUE * (1 + len(group.counts)) + (len(made.pieces) if made else 0)
        return made

    def _cpus_of(self, group: Group) -> tuple[Cpu, ...]:
        """Groups with the same lists share what is made of them."""
        key = group.signatures, group.features
        if key not in self._cpus:
            self._size += _VALUE * _cpus_in(group)
            self._cpus[key] = tuple(
                (
                    _text("vcpu_signature", signature),
                    _text("sev_features", features),
                    json_bytes(list(self._lookups.vcpu_types(signature)))[1:-1],
                )
                for signature in group.signatures or (None,)
                for features in group.features or (None,)
            )
        return self._cpus[key]

    def _is_revoked(self, values: Values) -> bool:
        """Whether the values of a row are revoked; if its components are, the pieces say so."""
        return any(chosen(values) in revoked for chosen, revoked in self._revoked)

    def _marks_of(self, size: int) -> Marks:
        if size not in self._marks:
            self._marks[size] = Marks(size)
        return self._marks[size]

    def _defined(self, digest: bytes, matches: Sequence[Match]) -> bytes:
        evidence = Evidence("launch digest", LaunchDigest(digest))
        now = VerificationInputs(now=time.time())
        answer = found_answer(self._lookups.catalog, evidence, now, lambda _: matches)
        return json_bytes(self._shape(LaunchDigest(digest), answer))


def _cpus_in(group: Group) -> int:
    """How many signatures with features a group has."""
    return (len(group.signatures) or 1) * (len(group.features) or 1)


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
