"""Event logs of TDs, variable stores and files of a direct boot, broken and whole."""

from __future__ import annotations

import base64
import json

from catalog.abi.tdx.event_data import described, states_digest, vendor_media
from catalog.abi.tdx.rtmr import replay
from catalog.evidence.event_log_forms import read_event_log
from catalog.firmware.tdx.authenticode import authenticode_sha384
from catalog.firmware.tdx.direct_boot import patched_kernel
from catalog.firmware.tdx.variables import read_variables
from tests.fuzz.target import Target
from tests.support.event_logs import booted, event_log
from tests.support.pe_images import kernel_image
from tests.support.variable_stores import Held, variable_store


def _log(data: bytes) -> None:
    log = read_event_log(data)
    replay(log)
    for event in log.events:
        described(event)
        states_digest(event)
        vendor_media(event)


def _logs() -> list[bytes]:
    raw = event_log(booted())
    event = {"imr": 3, "event_type": 0x08000001, "digest": "", "event": "app-id", "event_payload": "dead"}
    return [raw, base64.b64encode(raw), json.dumps([event]).encode()]


def _kernel(data: bytes) -> None:
    authenticode_sha384(patched_kernel(data, 0x1000) or data)


EVENT_LOG_TARGETS = {
    "event_log": Target(_log, _logs),
    "variable_store": Target(read_variables, lambda: [variable_store([Held("PK", b"keys"), Held("KEK", b"")])]),
    "kernel": Target(_kernel, lambda: [kernel_image()]),
}
