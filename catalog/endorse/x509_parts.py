"""The parts that certificates and revocation lists (X.509) have in common: signature, names, times and extensions.

Source: RFC 5280, 4.1 and 5.1.
"""

from __future__ import annotations

from catalog.endorse.der import (
    BIT_STRING,
    BOOLEAN,
    GENERALIZED_TIME,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    UTC_TIME,
    Element,
    Elements,
    Moment,
    read_value,
)
from catalog.errors import MalformedInput
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_EXTENSIONS = 64

_COMMON_NAME = "2.5.4.3"


class Extension(Value):
    """An extension. value: what its OCTET STRING holds."""

    value: bytes
    critical: bool


class Signed(Value):
    """What an issuer has signed. data: the bytes under the signature. issuer: the issuer's name in DER."""

    data: bytes
    signature: bytes
    issuer: bytes


class Body:
    """The part of a certificate or list that is signed. elements: what it consists of."""

    __slots__ = ("_algorithm", "_data", "_signature", "elements")

    def __init__(self, der: bytes) -> None:
        """Raises MalformedInput for anything but a body, an algorithm and a signature."""
        whole = read_value(bytes(der), SEQUENCE).inside()
        body, algorithm = whole.take(SEQUENCE), whole.take(SEQUENCE)
        self.elements, self._data, self._algorithm = body.inside(), body.whole, algorithm.whole
        self._signature = whole.last(BIT_STRING).bits()

    def signed(self) -> tuple[Signed, str | None]:
        """Algorithm and issuer, which are next, with the signature; and the issuer's common name.

        Raises MalformedInput if the algorithm is not the one that is named outside, too (RFC 5280, 4.1.1.2).
        """
        if self.elements.take(SEQUENCE).whole != self._algorithm:
            raise MalformedInput("a certificate or revocation list names two signature algorithms")
        issuer = self.elements.take(SEQUENCE)
        return Signed(self._data, self._signature, issuer.whole), common_name(issuer)


def take_time(elements: Elements) -> Moment:
    """The next element, a time."""
    return elements.take(UTC_TIME, GENERALIZED_TIME).time()


def common_name(name: Element) -> str | None:
    """The first common name; every part of the name has to be well-formed."""
    found = None
    for part in each(name.inside(), SET):
        attributes = part.inside()
        if not attributes.more:
            raise MalformedInput("a part of a name is empty")
        for attribute in each(attributes, SEQUENCE):
            inside = attribute.inside()
            identifier = inside.take(OBJECT_IDENTIFIER).object_identifier()
            value = _any(inside)
            if identifier == _COMMON_NAME and found is None:
                found = value.text()
    return found


def read_extensions(wrapped: Element) -> dict[str, Extension]:
    """The extensions by object identifier; raises MalformedInput for one that is there twice, or too many."""
    found: dict[str, Extension] = {}
    for one in each(wrapped.inside().last(SEQUENCE).inside(), SEQUENCE):
        inside = one.inside()
        name = inside.take(OBJECT_IDENTIFIER).object_identifier()
        critical = take_critical(inside)
        if name in found or len(found) == MAX_EXTENSIONS:
            raise MalformedInput(f"an extension is there twice, or there are more than {MAX_EXTENSIONS}")
        found[name] = Extension(inside.last(OCTET_STRING).contents, critical)
    return found


def take_critical(extension: Elements) -> bool:
    """Whether an extension is critical, which is next; raises MalformedInput if a FALSE is written, as DER does not."""
    critical = extension.has(BOOLEAN)
    if critical and not extension.take(BOOLEAN).truth():
        raise MalformedInput("an extension has a truth value that DER leaves out")
    return critical


def each(values: Elements, tag: int) -> Iterator[Element]:
    """The rest of the values, all with this tag."""
    while values.more:
        yield values.take(tag)


def _any(values: Elements) -> Element:
    """The last value, of any type with a tag of one byte."""
    return values.last(*range(0x01, 0x1F), SEQUENCE, SET)
