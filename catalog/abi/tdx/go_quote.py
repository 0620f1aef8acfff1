"""Quotes as go-tdx-guest keeps them: the messages `QuoteV4` and `QuoteV5` in the JSON of protobuf, back to their bytes.

Bytes are base64; names are in camel case or with _; a number that is missing is zero. Lengths are those of the bytes.
Source: google/go-tdx-guest proto/tdx.proto, and abi/abi.go, QuoteToAbiBytes.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any

from catalog.abi.report_json import fields_left_out
from catalog.abi.tdx.quote import TdxQuote
from catalog.abi.tdx.quote_signature import QE_CERTIFICATION
from catalog.abi.tdx.td_report import RTMRS
from catalog.errors import MalformedInput

_NUMBERS = {"version": 2, "attestationkeytype": 2, "teetype": 4, "miscselect": 4, "isvprodid": 2, "isvsvn": 2}
"""Sizes in bytes of numbers."""

_HEADER = (("version", 0), ("attestationkeytype", 0), ("teetype", 0), ("pcesvn", 2), ("qesvn", 2), ("qevendorid", 16),
    ("userdata", 20))  # fmt: skip
_BODY = (("teetcbsvn", 16), ("mrseam", 48), ("mrsignerseam", 48), ("seamattributes", 8), ("tdattributes", 8),
    ("xfam", 8), ("mrtd", 48), ("mrconfigid", 48), ("mrowner", 48), ("mrownerconfig", 48), ("rtmrs", 48 * RTMRS),
    ("reportdata", 64))  # fmt: skip
_BODY_15 = (*_BODY, ("teetcbsvn2", 16), ("mrservicetd", 48))
_QE_REPORT = (("cpusvn", 16), ("miscselect", 0), ("reserved1", 28), ("attributes", 16), ("mrenclave", 32),
    ("reserved2", 32), ("mrsigner", 32), ("reserved3", 96), ("isvprodid", 0), ("isvsvn", 0), ("reserved4", 60),
    ("reportdata", 64))  # fmt: skip
"""Fields in their order, with the size in bytes of those that are bytes."""

_TDX_15 = 3
_KEY_SIZE = 64


def parse_go_quote(fields: Mapping[str, Any]) -> TdxQuote:
    """The quote, with a note if there are fields that are unknown and not null.

    Raises MalformedInput for a field of another type or size, and as `TdxQuote.parse`.
    """
    return _Message().quote(_by_name(fields))


class _Message:
    """The messages of a quote, written one after the other. unknown: fields that are unknown and not null."""

    def __init__(self) -> None:
        self.unknown = 0

    def quote(self, fields: dict[str, Any]) -> TdxQuote:
        raw = self.joined(_inside(fields, "header"), _HEADER)
        if "tdquotebodydescriptor" in fields:
            descriptor = _inside(fields, "tdquotebodydescriptor")
            kind = descriptor.get("tdquotebodytype")
            body = self.joined(_inside(descriptor, "tdquotebodyv5"), _BODY_15 if kind == _TDX_15 else _BODY)
            raw += _number(kind, 2) + _number(len(body), 4) + body
            self.count(descriptor, "tdquotebodytype", "tdquotebodysize", "tdquotebodyv5")
        else:
            raw += self.joined(_inside(fields, "tdquotebody"), _BODY)
        if "signeddata" in fields:
            raw += _sized(self.signature(_inside(fields, "signeddata")), 4)
        self.count(
            fields, "header", "tdquotebody", "tdquotebodydescriptor", "signeddatasize", "signeddata", "extrabytes"
        )
        return TdxQuote.parse(raw, fields_left_out(self.unknown))

    def signature(self, fields: dict[str, Any]) -> bytes:
        outer = _inside(fields, "certificationdata")
        inner = _inside(outer, "qereportcertificationdata")
        auth, chain = _inside(inner, "qeauthdata"), _inside(inner, "pckcertificatechaindata")
        certified = b"".join(
            (
                self.joined(_inside(inner, "qereport"), _QE_REPORT),
                _bytes(inner.get("qereportsignature"), _KEY_SIZE),
                _sized(_bytes(auth.get("data", b"")), 2),
                _number(chain.get("certificatedatatype"), 2),
                _sized(_bytes(chain.get("pckcertchain")), 4),
            )
        )
        self.count(fields, "signature", "ecdsaattestationkey", "certificationdata")
        self.count(outer, "certificatedatatype", "size", "qereportcertificationdata")
        self.count(inner, "qereport", "qereportsignature", "qeauthdata", "pckcertificatechaindata")
        keys = [_bytes(fields.get(name), _KEY_SIZE) for name in ("signature", "ecdsaattestationkey")]
        kind = _number(outer.get("certificatedatatype", QE_CERTIFICATION), 2)
        return b"".join((*keys, kind, _sized(certified, 4)))

    def joined(self, fields: dict[str, Any], layout: tuple[tuple[str, int], ...]) -> bytes:
        """A message whose fields have fixed sizes."""
        self.count(fields, *(name for name, _ in layout))
        return b"".join(self.field(fields, name, size) for name, size in layout)

    def field(self, fields: dict[str, Any], name: str, size: int) -> bytes:
        if name in _NUMBERS:
            return _number(fields.get(name, 0), _NUMBERS[name])
        value = fields.get(name)
        if name == "rtmrs" and isinstance(value, list) and len(value) == RTMRS:
            return b"".join(_bytes(one, size // RTMRS) for one in value)
        return _bytes(value, size)

    def count(self, fields: dict[str, Any], *known: str) -> None:
        """Count the fields that are not known."""
        self.unknown += sum(value is not None for name, value in fields.items() if name not in known)


def _by_name(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """Fields by their names in lower case without _."""
    return {str(name).lower().replace("_", ""): value for name, value in fields.items()}


def _inside(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise MalformedInput("a message of this quote of go-tdx-guest is missing, or is no object")
    return _by_name(value)


def _number(value: Any, size: int) -> bytes:
    if type(value) is not int or not 0 <= value < 1 << 8 * size:
        raise MalformedInput(f"a field of this quote of go-tdx-guest is not an unsigned number of {8 * size} bits")
    return value.to_bytes(size, "little")


def _bytes(value: Any, size: int | None = None) -> bytes:
    """Bytes, of this size if one is given."""
    if isinstance(value, str):
        try:
            value = binascii.a2b_base64(value.translate(str.maketrans("-_", "+/")), strict_mode=True)
        except ValueError:
            value = None
    if not isinstance(value, bytes) or size not in (None, len(value)):
        wanted = "bytes" if size is None else f"{size} bytes"
        raise MalformedInput(f"a field of this quote of go-tdx-guest is not {wanted} in base64")
    return value


def _sized(data: bytes, size: int) -> bytes:
    """Bytes behind their length, which has `size` bytes."""
    return _number(len(data), size) + data
