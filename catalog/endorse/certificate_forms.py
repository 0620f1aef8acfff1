"""Certificates in DER, out of what people have them in: PEM, DER, a certificate table, or JSON that has any of these.

JSON is that of Azure's THIM (vcekCert, certificateChain), also in base64, as containers of Azure get it in
UVM_HOST_AMD_CERTIFICATE. Nothing is verified here. Source: RFC 7468 (PEM); AMD 56421, GHCB specification, 4.1.8.1
(certificate table, which configfs-tsm has as `auxblob`); Azure THIM, GET /metadata/THIM/amd/certification.
"""

from __future__ import annotations

import binascii

from catalog.errors import MalformedInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

MOST_CERTIFICATES = 64
"""Certificates of one file: a chain has three."""

_DEEPEST = 16
"""Lists and objects within one another, in JSON that people send."""

_CERTIFICATE = b"CERTIFICATE"
_BEGIN, _END = b"-----BEGIN %s-----", b"-----END %s-----"
_SEQUENCE = b"\x30"
_ENTRY_SIZE = 24
_ENTRIES_AT_MOST = 64
_KEYS = (
    "63da758d-e664-4564-adc5-f4b93be8accd",
    "a8074bc2-a25a-483e-aae6-39c045a0b8a1",
    "4ab7b379-bbac-4fe4-a02f-05aef327c782",
    "c0b406a4-a803-4952-9743-3fb6014cd0ae",
)
"""GUIDs of VCEK, VLEK, ASK or ASVK, and ARK."""

_NAMES = frozenset(
    (
        *("vcek", "vlek", "ask", "ark", "vcekcert", "vlekcert", "askcert", "asvkcert", "arkcert"),
        *("certificatechain", "certchain", "vcekcertchain", "vlekcertchain", "endorsements", "auxblob", "reportsigner"),
    )
)
"""Names of JSON members with certificates, in lower case, without - and _."""

_KINDS = frozenset(("VCEK", "VLEK", "ASK", "ARK"))
"""Kinds of entries with a certificate, in the JSON of the virtee crates."""


def certificates_of_file(data: bytes) -> list[bytes]:
    """Every certificate of a file, in DER; raises MalformedInput for a file without one, or with too many."""
    fields = _json(data)
    found = list(_bounded(_of_bytes(data) if fields is None else _of_members(fields)))
    if not found:
        raise MalformedInput("no certificate was found")
    return found


def certificates_of_members(fields: Mapping[str, Any]) -> list[bytes]:
    """The certificates that members of a JSON object have, by their names; raises MalformedInput for too many."""
    return list(_bounded(_of_members(fields)))


def is_certificate_name(name: object) -> bool:
    """Whether a member of this name has certificates."""
    return isinstance(name, str) and name.lower().replace("_", "").replace("-", "") in _NAMES


def certificate_table(table: bytes) -> Iterator[bytes]:
    """The certificates of a table in DER, without other entries; raises MalformedInput for an invalid table."""
    for number in range(_ENTRIES_AT_MOST):
        header = table[number * _ENTRY_SIZE : (number + 1) * _ENTRY_SIZE]
        if len(header) < _ENTRY_SIZE:
            break
        guid, offset, length = header[:16], _number(header[16:20]), _number(header[20:])
        if not any(header):
            return
        if offset + length > len(table):
            raise MalformedInput(f"entry {number} of the certificate table is not inside it")
        if guid in _GUIDS:
            yield table[offset : offset + length]
    raise MalformedInput("the certificate table has no entry of zeros at its end")


def from_pem(data: bytes, label: bytes) -> Iterator[bytes]:
    """The bytes of each block with this label; text around the blocks is for people."""
    for block in data.split(_BEGIN % label)[1:]:
        text, end, _ = block.partition(_END % label)
        try:
            if not end:
                raise MalformedInput("a block of PEM has no end")
            yield binascii.a2b_base64(b"".join(text.split()), strict_mode=True)
        except binascii.Error as error:
            raise MalformedInput("a block of PEM is not base64") from error


def _bounded(found: Iterator[bytes]) -> Iterator[bytes]:
    for number, certificate in enumerate(found):
        if number == MOST_CERTIFICATES:
            raise MalformedInput(f"there are more than {MOST_CERTIFICATES} certificates", "a chain has three")
        yield certificate


def _of_members(fields: Mapping[str, Any], depth: int = 0) -> Iterator[bytes]:
    for name, value in fields.items():
        if is_certificate_name(name):
            yield from _of_value(value, depth + 1)


def _of_value(value: Any, depth: int) -> Iterator[bytes]:
    """Certificates of a member: text, bytes, a list of numbers, or a list or object of such."""
    if depth > _DEEPEST:
        raise MalformedInput(f"certificates are nested more than {_DEEPEST} levels deep", "a chain is one list")
    if isinstance(value, str):
        text = value.encode("utf-8", "replace")
        yield from _of_bytes(text if _BEGIN % _CERTIFICATE in text else _from_base64(text) or b"")
    elif isinstance(value, bytes):
        yield from _of_bytes(value)
    elif isinstance(value, list):
        if value and all(type(one) is int and 0 <= one < 256 for one in value):
            yield from _of_bytes(bytes(value))
            return
        for one in value:
            if not isinstance(one, dict):
                yield from _of_value(one, depth + 1)
            elif str(one.get("cert_type")) in _KINDS:
                yield from _of_value(one.get("data"), depth + 1)
    elif isinstance(value, dict):
        yield from _of_members(value, depth)


def _of_bytes(data: bytes) -> Iterator[bytes]:
    if _BEGIN % _CERTIFICATE in data:
        yield from from_pem(data, _CERTIFICATE)
    elif data[:16] in _GUIDS:
        yield from certificate_table(data)
    elif data[:1] == _SEQUENCE:
        yield data


def _json(data: bytes) -> Mapping[str, Any] | None:
    """The object of JSON, or of JSON in base64; None for anything else."""
    text = data.strip()
    if text[:1] in (_SEQUENCE, b"-"):  # most files
        return None
    if not text.startswith(b"{"):
        text = _from_base64(text) or b""
    if not text.startswith(b"{"):
        return None
    import json

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _from_base64(text: bytes) -> bytes | None:
    """Bytes of base64 or base64url, with line breaks, with or without padding; None for another text."""
    body = b"".join(text.split()).rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return binascii.a2b_base64(body + b"=" * (-len(body) % 4), strict_mode=True)
    except ValueError:
        return None


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _both_orders(guid: str) -> Iterator[bytes]:
    """The bytes of a GUID in the order of its text, which hosts write, and in that of EFI."""
    raw = bytes.fromhex(guid.replace("-", ""))
    yield raw
    yield raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]


_GUIDS = frozenset(raw for guid in _KEYS for raw in _both_orders(guid))
