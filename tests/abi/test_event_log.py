"""Event logs of TDs: read strictly and within bounds, described, and replayed."""

from __future__ import annotations

import hashlib

import pytest

from catalog.abi.tdx import event_log as module
from catalog.abi.tdx.event_data import described, states_digest, tag_of, variable_data, variable_of, vendor_media
from catalog.abi.tdx.event_log import TdEvent, is_event_log, parse_event_log
from catalog.abi.tdx.event_types import type_name
from catalog.abi.tdx.rtmr import INITIAL, RTMRS, differing, replay
from catalog.errors import MalformedInput
from tests.support import event_logs
from tests.support.event_logs import (
    APPLICATION,
    AUTHORITY,
    BLOB2,
    BOOT,
    DRIVER_CONFIG,
    EFI_ACTION,
    GLOBAL,
    IPL,
    NO_ACTION,
    QEMU_FILES,
    SEPARATOR,
    SHA384,
    TAG,
    Event,
    booted,
    loaded_image,
    record,
    sha384,
    spec_id,
    tagged,
    variable,
)

HEAD = event_logs.event_log(filling=b"")


def event(kind: int, data: bytes, digest: bytes | None = None, register: int = 1) -> TdEvent:
    return TdEvent(register, kind, sha384(data) if digest is None else digest, data)


@pytest.mark.parametrize("filling", [b"", b"\xff" * 100, bytes(100), b"\xff" * 8])
def test_a_log_is_read_up_to_what_fills_its_area(filling: bytes) -> None:
    log = parse_event_log(event_logs.event_log(booted(), filling=filling))
    assert [(one.register, one.type, one.data) for one in log.events] == [
        (one.register, one.type, one.data) for one in booted()
    ]
    assert log.notes == ()


def test_what_follows_the_filling_is_noted() -> None:
    for rest in (b"\xff" * 8 + b"more", bytes(8) + b"\1" * 9):
        (note,) = parse_event_log(event_logs.event_log(booted(), filling=rest)).notes
        assert note.code == "event-log-has-rest"


def test_other_algorithms_are_skipped() -> None:
    header = spec_id([(0x0B, 32), (SHA384, 48), (0x99, 5)], vendor=b"maker")
    both = record(Event(1, SEPARATOR, b"data"), {0x0B: bytes(32), SHA384: b"\7" * 48, 0x99: bytes(5)})
    (found,) = parse_event_log(event_logs.event_log(header=header, filling=both)).events
    assert (found.digest, found.data) == (b"\7" * 48, b"data")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "does not begin with"),
        (b"\xff" * 100, "does not begin with"),
        (HEAD[:50], "ends within its first event"),
        (HEAD[:28] + (20).to_bytes(4, "little") + HEAD[32:], "ends within its first event"),
        (event_logs.event_log(header=spec_id(count=0)), "0 algorithms"),
        (event_logs.event_log(header=spec_id(count=9)), "9 algorithms"),
        (event_logs.event_log(header=spec_id(count=3)), "3 algorithms"),
        (event_logs.event_log(header=spec_id() + b"x"), "1 algorithms, which do not fit in 34 bytes"),
        (event_logs.event_log(header=spec_id([(SHA384, 32)])), "32 bytes for algorithm 0xc"),
        (event_logs.event_log(header=spec_id([(0x12, 32)])), "no SHA-384 digests"),
        (HEAD + b"\1\0\0\0", "ends within event 0"),
        (HEAD + record(Event(5, SEPARATOR, b"")), "event 0 of the log is of register 5"),
        (HEAD + record(Event(1, SEPARATOR, b""), {}), "event 0 of the log has 0 digests"),
        (HEAD + record(Event(1, SEPARATOR, b""), {0x0B: bytes(32)}), "algorithm 0xb"),
        (HEAD + record(Event(1, SEPARATOR, b"abc"))[:-1], "ends within event 0"),
        (HEAD + record(Event(1, SEPARATOR, b"abc"))[:-6], "ends within event 0"),
        (HEAD + record(Event(1, SEPARATOR, b"abc"))[:30], "ends within event 0"),
    ],
)
def test_what_is_broken_is_named(raw: bytes, message: str) -> None:
    with pytest.raises(MalformedInput) as caught:
        parse_event_log(raw)
    assert message in str(caught.value)


def test_an_event_has_one_digest_of_an_algorithm_and_one_of_sha384() -> None:
    twice = bytearray(record(Event(1, SEPARATOR, b""), {SHA384: bytes(48), 0x0B: bytes(32)}))
    header = spec_id([(0x0B, 32), (SHA384, 48)])
    twice[62:64] = SHA384.to_bytes(2, "little")
    for raw, message in (
        (bytes(twice), "algorithm 0xc, which is not right"),
        (record(Event(1, SEPARATOR, b""), {0x0B: bytes(32)}), "event 0 of the log has no SHA-384 digest"),
    ):
        with pytest.raises(MalformedInput, match=message):
            parse_event_log(event_logs.event_log(header=header, filling=raw))


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = event_logs.event_log(booted())
    monkeypatch.setattr(module, "MAX_EVENTS", len(booted()) - 1)
    with pytest.raises(MalformedInput, match="events"):
        parse_event_log(raw)
    monkeypatch.setattr(module, "MAX_LOG_SIZE", 100)
    with pytest.raises(MalformedInput, match="more than 0 MiB"):
        parse_event_log(raw)


def test_registers_follow_from_the_log() -> None:
    first, second = sha384(b"one"), sha384(b"two")
    raw = event_logs.event_log(
        [
            Event(0, NO_ACTION, b"SP800-155 Event3", bytes(48)),
            Event(0, SEPARATOR, b"MRTD does not change"),
            Event(1, SEPARATOR, b"one"),
            Event(1, NO_ACTION, b"StartupLocality", bytes(48)),
            Event(1, SEPARATOR, b"two"),
            Event(4, TAG, b"one"),
        ]
    )
    log = parse_event_log(raw)
    once = hashlib.sha384(bytes(48) + first).digest()
    expected = (hashlib.sha384(once + second).digest(), INITIAL, INITIAL, once)
    assert replay(log) == expected
    assert differing(log, expected) == ()
    assert differing(log, (once, *expected[1:3], bytes(48))) == (RTMRS[0], RTMRS[3])


def test_variables_are_read_and_written() -> None:
    data = variable(GLOBAL, "PK", b"keys")
    found = variable_of(event(DRIVER_CONFIG, data))
    assert found is not None
    assert (found.guid, found.name, found.data, variable_data(found)) == (GLOBAL, "PK", b"keys", data)
    assert variable_of(event(IPL, data)) is None
    assert variable_of(event(DRIVER_CONFIG, data + b"x")) is None
    assert variable_of(event(DRIVER_CONFIG, data[:31])) is None


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (event(DRIVER_CONFIG, variable(GLOBAL, "P\x07K", b"keys")), "variable P?K, 4 bytes"),
        (event(AUTHORITY, b"\x1b[31m"), "?[31m"),
        (event(SEPARATOR, bytes(4)), "separator"),
        (event(APPLICATION, loaded_image("\\EFI\\BOOT\\BOOTX64.EFI")), "\\EFI\\BOOT\\BOOTX64.EFI"),
        (event(APPLICATION, loaded_image("kernel", QEMU_FILES)[:-10]), ""),
        (event(APPLICATION, b""), ""),
        (event(BLOB2, event_logs.blob(b"Fv(1)\0")), "Fv(1)"),
        (event(BLOB2, b""), ""),
        (event(TAG, tagged(0x8F3B22EC, b"Linux initrd\0")), "Linux initrd"),
        (event(TAG, b"LOADED_IMAGE::LoadOptions\0"), "LOADED_IMAGE::LoadOptions"),
        (event(TAG, b"short"), "short"),
        (event(IPL, ".linux\0".encode("utf-16-le")), ".linux"),
        (event(IPL, b"a" * 130), "a" * 120 + "..."),
        (event(EFI_ACTION, b"\xff\xfe"), "??"),
    ],
)
def test_events_are_described_in_printable_words(one: TdEvent, text: str) -> None:
    assert described(one) == text


def test_tags_media_and_types() -> None:
    assert tag_of(event(TAG, tagged(0x8F3B22EC, b"Linux initrd\0"))) == 0x8F3B22EC
    assert tag_of(event(TAG, b"LOADED_IMAGE::LoadOptions\0")) == 0x8F3B22ED
    assert (tag_of(event(TAG, b"short")), tag_of(event(IPL, bytes(8)))) == (None, None)
    assert vendor_media(event(APPLICATION, loaded_image("kernel", QEMU_FILES))) == QEMU_FILES
    assert vendor_media(event(APPLICATION, loaded_image("kernel"))) is None
    assert vendor_media(event(IPL, loaded_image("kernel", QEMU_FILES))) is None
    assert (type_name(SEPARATOR), type_name(0x8000001)) == ("EV_SEPARATOR", "0x8000001")


def test_a_digest_is_that_of_the_data_or_of_something_else() -> None:
    assert states_digest(event(SEPARATOR, bytes(4))) is True
    assert states_digest(event(SEPARATOR, bytes(4), bytes(48))) is False
    assert states_digest(event(BOOT, variable(GLOBAL, "BootOrder", b"\1\0"), sha384(b"\1\0"))) is True
    assert states_digest(event(IPL, b"MokList\0", bytes(48))) is None


def test_a_log_is_recognised() -> None:
    assert (is_event_log(HEAD), is_event_log(HEAD[1:]), is_event_log(b"")) == (True, False, False)
