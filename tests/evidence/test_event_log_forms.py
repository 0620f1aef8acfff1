"""Event logs as tools pass them on: raw, as text, and in JSON of trustee and dstack."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from catalog.abi.tdx.rtmr import replay
from catalog.errors import MalformedInput
from catalog.evidence import event_log_forms
from catalog.evidence.event_log_forms import DSTACK_RUNTIME_EVENT, read_event_log
from tests.support.event_logs import SEPARATOR, Event, booted, event_log, sha384

RAW = event_log(booted())
BASE64 = base64.b64encode(RAW).decode()


def of_dstack(**changes: Any) -> dict[str, Any]:
    return {
        "imr": 0,
        "event_type": SEPARATOR,
        "digest": sha384(b"x").hex(),
        "event": "",
        "event_payload": "78",
        **changes,
    }


def listed() -> list[dict[str, Any]]:
    return [
        of_dstack(imr=one.register - 1, event_type=one.type, digest=(one.digest or sha384(one.data)).hex())
        | {"event_payload": one.data.hex()}
        for one in booted()
    ]


@pytest.mark.parametrize(
    "data",
    [
        RAW,
        BASE64.encode(),
        RAW.hex().encode() + b"\n",
        json.dumps({"quote": "", "cc_eventlog": BASE64}).encode(),
        json.dumps({"event_log": listed()}).encode(),
        json.dumps({"quote": "00", "event_log": json.dumps(listed())}).encode(),
        json.dumps(listed()).encode(),
    ],
)
def test_every_form_is_the_same_log(data: bytes) -> None:
    assert read_event_log(data).events == read_event_log(RAW).events


def test_events_of_dstack_at_run_time_may_lack_their_digest() -> None:
    first = b"\1\0\0\x08:app-id:\xde\xad"
    second = b'{"event":"caf\xc3\xa9","event_type":134217729,"payload":"abcd","version":2}'
    events = [
        of_dstack(imr=3, event_type=DSTACK_RUNTIME_EVENT, digest="", event="app-id", event_payload="dead"),
        of_dstack(imr=3, event_type=DSTACK_RUNTIME_EVENT, event="café", event_payload="abcd", version=2)
        | {"digest": sha384(second).hex()},
    ]
    log = read_event_log(json.dumps(events).encode())
    assert [(one.register, one.data, one.digest) for one in log.events] == [
        (4, first, sha384(first)),
        (4, second, sha384(second)),
    ]
    once = hashlib.sha384(bytes(48) + sha384(first)).digest()
    assert replay(log)[3] == hashlib.sha384(once + sha384(second)).digest()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not begin with"),
        (b"\xff\xfe", "does not begin with"),
        (b"{}", "this JSON has no event log"),
        (b'{"cc_eventlog": null}', "this JSON has no event log"),
        (b"[", "event log: "),
        (b'{"cc_eventlog": "!"}', "neither base64 nor hex"),
        (b'{"event_log": "[1"}', "event log: "),
        (b'{"event_log": "[\\ud800"}', "event log"),
        (b"[1]", "no imr and event_type"),
        (b'[{"imr": true, "event_type": 1}]', "no imr and event_type"),
        (json.dumps([of_dstack(event_type=1 << 32)]).encode(), "no imr and event_type"),
        (json.dumps([of_dstack(imr=4)]).encode(), "register 5"),
        (json.dumps([of_dstack(imr=-2)]).encode(), "register -1"),
        (json.dumps([of_dstack(digest="zz")]).encode(), "digest is not hex"),
        (json.dumps([of_dstack(digest=5)]).encode(), "digest is not hex"),
        (json.dumps([of_dstack(digest="")]).encode(), "digest of 0 bytes"),
        (json.dumps([of_dstack(event_type=DSTACK_RUNTIME_EVENT, version=3)]).encode(), "unknown version"),
        (json.dumps([of_dstack(event_type=DSTACK_RUNTIME_EVENT, event=3)]).encode(), "unknown version"),
    ],
)
def test_what_is_no_log_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        read_event_log(data)


def test_lists_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log_forms, "MAX_EVENTS", 1)
    with pytest.raises(MalformedInput, match="more than 1 events"):
        read_event_log(json.dumps([of_dstack(), of_dstack()]).encode())


def test_a_log_may_be_empty() -> None:
    assert read_event_log(event_log([Event(1, SEPARATOR, b"")][:0])).events == ()
