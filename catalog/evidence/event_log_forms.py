"""Event logs of TDs as tools pass them on: raw, in base64 or hex, and in JSON of trustee and of dstack.

Source: confidential-containers/trustee deps/verifier/src/tdx/mod.rs (member cc_eventlog of its evidence);
Dstack-TEE/dstack cc-eventlog/src/tdx.rs (TdxEvent) and runtime_events.rs (digests that its logs leave out).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from catalog.abi.tdx.event_log import (
    DIGEST_SIZE,
    MAX_EVENTS,
    MAX_LOG_SIZE,
    EventLog,
    TdEvent,
    checked_register,
    is_event_log,
    parse_event_log,
)
from catalog.errors import MalformedInput, MalformedRecord
from catalog.evidence.codings import decoded, from_hex
from catalog.imports.strict_json import load_json

MAX_FILE_SIZE = 3 * MAX_LOG_SIZE
"""Bytes of a file with a log: hex takes two characters a byte."""

DSTACK_RUNTIME_EVENT = 0x08000001

_MEMBERS = ("cc_eventlog", "event_log")
_FORMS = "known are CCEL data, base64 or hex of them, and JSON with cc_eventlog or event_log"


def read_event_log(data: bytes) -> EventLog:
    """The log in a file; raises MalformedInput for what is none."""
    if is_event_log(data):
        return parse_event_log(data)
    text = data.strip()
    if text[:1] in (b"{", b"["):
        return _in_json(load_json(text, "event log"))
    try:
        found = decoded(text.decode("ascii"))
    except UnicodeDecodeError:
        found = None
    return parse_event_log(found[1] if found else data)


def _in_json(value: Any) -> EventLog:
    """The log in JSON: a list of dstack's events, or an object with one of the members."""
    if isinstance(value, list):
        return _of_dstack(value)
    for name in _MEMBERS if isinstance(value, dict) else ():
        found = value.get(name)
        if isinstance(found, list):
            return _of_dstack(found)
        if isinstance(found, str):
            return _in_text(found)
    raise MalformedInput("this JSON has no event log", _FORMS)


def _in_text(text: str) -> EventLog:
    """The log in a text of JSON: JSON again, or base64 or hex of the raw one."""
    if text.lstrip()[:1] == "[":
        return _of_dstack(load_json(text.encode("utf-8"), "event log"))  # JSON from strangers has no half characters
    found = decoded(text)
    if not found:
        raise MalformedInput("the event log in this JSON is neither base64 nor hex", _FORMS)
    return parse_event_log(found[1])


def _of_dstack(events: list[Any]) -> EventLog:
    if len(events) > MAX_EVENTS:
        raise MalformedInput(f"the event log has more than {MAX_EVENTS:,} events")
    return EventLog(tuple(_dstack_event(event, number) for number, event in enumerate(events)))


def _dstack_event(event: Any, number: int) -> TdEvent:
    """An event of dstack: imr counts from RTMR0; what dstack extends at run time is digested by a rule of its own."""
    members = event if isinstance(event, dict) else {}
    imr, kind = members.get("imr"), members.get("event_type")
    if type(imr) is not int or type(kind) is not int or not 0 <= kind < 1 << 32:
        raise MalformedRecord(f"event {number} of the log has no imr and event_type that are numbers")
    digest = _hex_of(members, "digest", number)
    payload = _hex_of(members, "event_payload", number)
    register = checked_register(imr + 1, number)
    if kind == DSTACK_RUNTIME_EVENT:
        payload = _digested(members, payload)
        digest = digest or hashlib.sha384(payload).digest()
    if len(digest) != DIGEST_SIZE:
        raise MalformedRecord(
            f"event {number} of the log has a digest of {len(digest)} bytes, not {DIGEST_SIZE}",
            "RTMRs follow from the digests; ask for a log that has them",
        )
    return TdEvent(register, kind, digest, payload)


def _hex_of(members: dict[str, Any], name: str, number: int) -> bytes:
    """The bytes of a member in hex; without it, none."""
    text = members.get(name, "")
    found = (from_hex(text) if text else b"") if isinstance(text, str) else None
    if found is None:
        raise MalformedRecord(f"event {number} of the log: {name} is not hex")
    return found


def _digested(members: dict[str, Any], payload: bytes) -> bytes:
    """What dstack digests for an event at run time: type, name and payload with colons, or JSON since version 2."""
    name, version = members.get("event", ""), members.get("version", 1)
    if not isinstance(name, str) or version not in (1, 2):
        raise MalformedRecord("the event log has an event of dstack whose digest is of an unknown version")
    if version == 1:
        parts = (DSTACK_RUNTIME_EVENT.to_bytes(4, "little"), name.encode("utf-8"), payload)
        return b":".join(parts)
    made = {"event": name, "event_type": DSTACK_RUNTIME_EVENT, "payload": payload.hex(), "version": 2}
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
