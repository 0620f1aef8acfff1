"""Certificate: X.509, read as far as the chains of AMD and Intel need it, by a reader of our own.

AMD's VCEKs have the serial number 0, which RFC 5280 does not allow and libraries come to refuse.
Source: RFC 5280, 4.1 and 4.2; AMD 57230, chapter 3.
"""

from __future__ import annotations

from catalog.endorse.der import (
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    NULL,
    OBJECT_IDENTIFIER,
    SEQUENCE,
    Element,
    Moment,
    read_value,
)
from catalog.endorse.x509_parts import Body, Extension, Signed, common_name, read_extensions, take_time
from catalog.errors import MalformedInput
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

BASIC_CONSTRAINTS, KEY_USAGE = "2.5.29.19", "2.5.29.15"

_RSA, _EC = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1"
_P384, _P256 = "1.3.132.0.34", "1.2.840.10045.3.1.7"
_UNCOMPRESSED = b"\x04"
_VERSION_3 = 2
_EXTENSIONS, _VERSION = 0xA3, 0xA0
_KEY_CERT_SIGN, _CRL_SIGN = 0x04, 0x02
"""Bits of the first byte of a key usage."""


class RsaKey(Value):
    """A public key of RSA."""

    modulus: int
    exponent: int


class P384Key(Value):
    """A public key on the curve P-384. point: uncompressed, 97 bytes; whether it is on the curve is not known."""

    point: bytes

    @classmethod
    def parse(cls, der: bytes) -> P384Key | None:
        """Of a SubjectPublicKeyInfo; None for a key of another type. Raises MalformedInput for anything else."""
        key = _key(read_value(der, SEQUENCE))
        return key if isinstance(key, P384Key) else None


class P256Key(Value):
    """A public key on the curve P-256. point: uncompressed, 65 bytes; whether it is on the curve is not known."""

    point: bytes


_CURVES: Mapping[str, tuple[type[P384Key | P256Key], int]] = {_P384: (P384Key, 97), _P256: (P256Key, 65)}
"""The key of each curve, and the bytes of its point."""


class Certificate(Value):
    """A certificate of version 3.

    der: all bytes.
    issuer_name, subject_name: common names; None without one.
    subject: the whole name in DER.
    key: None for a key of another type than the certificates of AMD and Intel have.
    extensions: by object identifier.
    """

    der: bytes
    signed: Signed
    serial: int
    issuer_name: str | None
    subject_name: str | None
    subject: bytes
    not_before: Moment
    not_after: Moment
    key: RsaKey | P384Key | P256Key | None
    extensions: Mapping[str, Extension]

    @classmethod
    def parse(cls, der: bytes) -> Certificate:
        """Read a certificate; raises MalformedInput for anything else, also with bytes behind it."""
        body = Body(der)
        elements = body.elements
        if elements.take(_VERSION).inside().last(INTEGER).number() != _VERSION_3:
            raise MalformedInput("a certificate is not of version 3")
        serial = elements.take(INTEGER).number()
        signed, issuer_name = body.signed()
        validity = elements.take(SEQUENCE).inside()
        not_before, not_after = take_time(validity), take_time(validity)
        validity.end()
        subject, key = elements.take(SEQUENCE), _key(elements.take(SEQUENCE))
        extensions = read_extensions(elements.take(_EXTENSIONS)) if elements.has(_EXTENSIONS) else {}
        elements.end()
        return cls(
            der=bytes(der),
            signed=signed,
            serial=serial,
            issuer_name=issuer_name,
            subject_name=common_name(subject),
            subject=subject.whole,
            not_before=not_before,
            not_after=not_after,
            key=key,
            extensions=extensions,
        )

    @property
    def issuer(self) -> bytes:
        """The whole name of its issuer in DER."""
        return self.signed.issuer

    @property
    def may_sign(self) -> bool:
        """Whether it is a CA that may sign certificates, and has no critical extension that is unknown here."""
        constraints = self.extensions.get(BASIC_CONSTRAINTS)
        return constraints is not None and _is_ca(constraints.value) and self._allows(_KEY_CERT_SIGN)

    @property
    def may_revoke(self) -> bool:
        """Whether it may sign revocation lists."""
        return self.may_sign and self._allows(_CRL_SIGN)

    @property
    def understood(self) -> bool:
        """Whether it has no critical extension that is unknown here."""
        known = (BASIC_CONSTRAINTS, KEY_USAGE)
        return not any(one.critical and name not in known for name, one in self.extensions.items())

    def _allows(self, use: int) -> bool:
        usage = self.extensions.get(KEY_USAGE)
        return self.understood and (usage is None or _has_use(usage.value, use))


def _key(info: Element) -> RsaKey | P384Key | P256Key | None:
    """The key of a SubjectPublicKeyInfo (RFC 3279, 2.3; RFC 5480, 2)."""
    inside = info.inside()
    algorithm, bits = inside.take(SEQUENCE).inside(), inside.last(BIT_STRING).bits()
    identifier = algorithm.take(OBJECT_IDENTIFIER).object_identifier()
    if identifier == _RSA:
        if algorithm.last(NULL).contents:  # RFC 3279, 2.3.1: always there
            raise MalformedInput("a NULL in DER has contents")
        numbers = read_value(bits, SEQUENCE).inside()
        return RsaKey(numbers.take(INTEGER).number(), numbers.last(INTEGER).number())
    if identifier == _EC and algorithm.has(OBJECT_IDENTIFIER):
        kind, size = _CURVES.get(algorithm.last(OBJECT_IDENTIFIER).object_identifier(), (P384Key, 0))
        return kind(bits) if bits[:1] == _UNCOMPRESSED and len(bits) == size else None
    return None


def _is_ca(constraints: bytes) -> bool:
    """Of basic constraints; False for any that do not say so, or are malformed."""
    try:
        inside = read_value(constraints, SEQUENCE).inside()
        is_ca = inside.take(BOOLEAN).truth()
        if inside.more:
            inside.last(INTEGER).number()
    except MalformedInput:
        return False
    return is_ca


def _has_use(usage: bytes, use: int) -> bool:
    """Whether the first byte of a key usage has these bits; False for any that is malformed."""
    try:
        contents = read_value(usage, BIT_STRING).contents
    except MalformedInput:
        return False
    return len(contents) > 1 and contents[1] & use == use
