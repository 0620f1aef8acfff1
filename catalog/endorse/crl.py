"""RevocationList: the certificates that an issuer has revoked (CRL).

Source: RFC 5280, 5.
"""

from __future__ import annotations

from catalog.endorse.der import (
    GENERALIZED_TIME,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    UTC_TIME,
    Element,
    Elements,
    Moment,
)
from catalog.endorse.x509_parts import Body, Signed, each, read_extensions, take_critical, take_time
from catalog.errors import MalformedInput
from catalog.values import Value

MAX_REVOKED = 10_000
"""Entries of a list: AMD's have a few."""

_VERSION_2, _EXTENSIONS = 1, 0xA0


class RevocationList(Value):
    """A list of revoked certificates (CRL).

    next_update: None if it has none.
    serials: serial numbers of certificates of its issuer that are revoked.
    understood: whether it has no critical extension; one could change whose certificates it lists.
    """

    signed: Signed
    this_update: Moment
    next_update: Moment | None
    serials: frozenset[int]
    understood: bool

    @classmethod
    def parse(cls, der: bytes) -> RevocationList:
        """Read a list; raises MalformedInput for anything else, and for more than MAX_REVOKED entries."""
        body = Body(der)
        elements = body.elements
        if elements.take(INTEGER).number() != _VERSION_2:
            raise MalformedInput("a revocation list is not of version 2")
        signed, _ = body.signed()
        this_update = take_time(elements)
        next_update = take_time(elements) if elements.has(UTC_TIME, GENERALIZED_TIME) else None
        serials, understood = _revoked(elements.take(SEQUENCE).inside() if elements.has(SEQUENCE) else Elements(b""))
        extensions = read_extensions(elements.take(_EXTENSIONS)) if elements.has(_EXTENSIONS) else {}
        elements.end()
        return cls(
            signed=signed,
            this_update=this_update,
            next_update=next_update,
            serials=serials,
            understood=understood and not any(one.critical for one in extensions.values()),
        )


def _revoked(entries: Elements) -> tuple[frozenset[int], bool]:
    """The serial numbers, and whether no entry has a critical extension."""
    serials: list[int] = []
    understood = True
    for entry in each(entries, SEQUENCE):
        if len(serials) == MAX_REVOKED:
            raise MalformedInput(f"a revocation list has more than {MAX_REVOKED:,} entries")
        inside = entry.inside()
        serials.append(inside.take(INTEGER).number())
        take_time(inside)
        if inside.more:
            for extension in each(inside.last(SEQUENCE).inside(), SEQUENCE):
                understood = understood and not _is_critical(extension)
    return frozenset(serials), understood


def _is_critical(extension: Element) -> bool:
    inside = extension.inside()
    inside.take(OBJECT_IDENTIFIER)
    critical = take_critical(inside)
    inside.last(OCTET_STRING)
    return critical
