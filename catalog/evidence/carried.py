"""Evidence that something else carries: an object of JSON, CBOR or MessagePack, whose members may carry JSON again."""

from __future__ import annotations

from catalog.errors import MalformedInput, MalformedRecord
from catalog.evidence.evidence import Evidence
from catalog.evidence.raw_bytes import recognise_bytes

_DEEPEST = 2
"""JSON in base64 in JSON is read, and nothing deeper."""

_CBOR_MAPS = range(0xA1, 0xBC)
_MESSAGE_PACK_MAPS = (*range(0x81, 0x90), 0xDE, 0xDF)
"""First bytes of maps that are not empty; no text in UTF-8 begins with one."""


def of_bytes(data: bytes, depth: int = 0) -> Evidence | None:
    """Evidence in bytes: one of the binary forms, or an object; None for anything else.

    depth: how many objects carry these bytes. Raises MalformedInput for invalid evidence.
    """
    if found := recognise_bytes(data):
        return found
    if depth > _DEEPEST or not data:
        return None
    if data[0] in _CBOR_MAPS or data[0] in _MESSAGE_PACK_MAPS:
        return _of_map(data, depth)
    if data[:1] != b"{":
        return None
    try:
        return _in_json(data.decode("utf-8"), depth)
    except UnicodeDecodeError:
        return None


def of_json(text: str) -> Evidence:
    """Evidence in JSON; raises MalformedInput for invalid JSON or evidence, and for JSON without evidence."""
    if found := _in_json(text, 0):
        return found
    raise MalformedInput("this JSON is no evidence that ldcat knows", "docs/evidence.md lists the known members")


def of_token(payload: str) -> Evidence:
    """Evidence in the payload of a token; raises MalformedInput for an invalid one, and for one without evidence."""
    from catalog.evidence.forms.token import from_token

    if found := _in_json(payload, 0):
        return from_token(found)
    raise MalformedInput("this JSON Web Token states no launch digest", "known are those of MAA and EAR")


def _in_json(text: str, depth: int) -> Evidence | None:
    from catalog.evidence.forms.foreign import foreign_json, refuse_proof
    from catalog.evidence.forms.json_object import json_objects
    from catalog.evidence.forms.launch_measure_text import read_qmp
    from catalog.evidence.forms.members import evidence_of

    objects = json_objects(text)
    for one in objects:
        refuse_proof(one)
    found = evidence_of(objects, "JSON", lambda data: of_bytes(data, depth + 1)) or read_qmp(objects, recognise_bytes)
    for one in () if found else objects:
        if foreign := foreign_json(one):
            raise foreign
    return found


def _of_map(data: bytes, depth: int) -> Evidence | None:
    from catalog.evidence.forms.members import evidence_of

    if data[0] in _CBOR_MAPS:
        from catalog.imports.cbor import decode

        what = "CBOR"
        try:
            value = decode(data, "this CBOR")
        except MalformedRecord:
            return None
    else:
        from catalog.evidence.forms.message_pack import unpacked

        what, value = "MessagePack", unpacked(data)
    return evidence_of([value], what, lambda within: of_bytes(within, depth + 1)) if isinstance(value, dict) else None
