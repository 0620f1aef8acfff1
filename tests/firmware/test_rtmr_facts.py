"""Events of RTMR0 that follow from an image: the variable store, the variables in it, and SecureBoot."""

from __future__ import annotations

import hashlib

import pytest

from catalog.errors import MalformedFirmware, MalformedRecord
from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.tdx.rtmr_facts import EVENTS, VARIABLES, RtmrFacts, RtmrWire, variable_digest
from catalog.firmware.tdx.variables import Name, read_variables
from catalog.wire import decode_toml
from tests.support import event_logs
from tests.support.firmware_builder import packed_volume
from tests.support.module_builder import module
from tests.support.tdvf_builder import CFV_SIZE, SECTIONS, build_tdvf
from tests.support.variable_stores import (
    ENABLE,
    SECURE_BOOT_CONFIG,
    SECURITY,
    TD_TCG2,
    Held,
    td_image,
    variable_store,
)

BOTH = (TD_TCG2, SECURE_BOOT_CONFIG)
KEYS = (Held("KEK", b"kek"), Held("PK", b"pk"), Held("db", b"db", SECURITY), Held("dbx", b"dbx", SECURITY))


def facts(data: bytes) -> RtmrFacts:
    return RtmrFacts.of(OvmfImage.parse(data))


def digests(**held: bytes) -> list[bytes]:
    """SHA-384 of UEFI_VARIABLE_DATA of the variables, written out by the builder of event logs."""
    return [
        event_logs.sha384(
            event_logs.variable(
                event_logs.SECURITY if name in ("db", "dbx") else event_logs.GLOBAL, name, held.get(name, b"")
            )
        )
        for name in ("SecureBoot", "PK", "KEK", "db", "dbx")
    ]


def test_a_build_without_secure_boot_reads_no_variables() -> None:
    store = variable_store(KEYS)
    found = facts(td_image(store))
    assert found.why_unknown is None
    assert found.digests["cfv"] == hashlib.sha384(store).digest()
    assert [found.digests[name] for name in VARIABLES] == digests()


@pytest.mark.parametrize(
    ("more", "secure_boot"),
    [
        ((), b"\1"),
        ((Held("SecureBootEnable", b"\1", ENABLE),), b"\1"),
        ((Held("SecureBootEnable", b"\0", ENABLE),), b"\0"),
    ],
)
def test_secure_boot_follows_from_the_platform_key_and_its_switch(more: tuple[Held, ...], secure_boot: bytes) -> None:
    found = facts(td_image(variable_store([*KEYS, *more]), BOTH))
    expected = digests(SecureBoot=secure_boot, PK=b"pk", KEK=b"kek", db=b"db", dbx=b"dbx")
    assert [found.digests[name] for name in VARIABLES] == expected


def test_secure_boot_is_off_without_platform_key() -> None:
    found = facts(td_image(variable_store([KEYS[0], Held("PK", b"deleted", state=0x3D)]), BOTH))
    assert [found.digests[name] for name in VARIABLES] == digests(SecureBoot=b"\0", KEK=b"kek")


def test_the_facts_are_a_table_of_a_record() -> None:
    found = facts(td_image())
    lines = found.lines("component.tdx.rtmr")
    assert lines[:2] == ["", "[component.tdx.rtmr]"]
    wire = decode_toml("\n".join(lines[2:]), RtmrWire, "record")
    assert RtmrFacts.from_wire(wire, "record") == found
    shown = {name: found.digests[name].hex() for name in EVENTS}
    assert found.to_dict() == {"why_unknown": None, "events": shown}
    with pytest.raises(MalformedRecord, match=r"record: rtmr\.cfv: .* is not 96 lowercase hex digits"):
        RtmrFacts.from_wire(RtmrWire(**{**shown, "cfv": "ab"}), "record")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (build_tdvf(), "the modules of the firmware are not known: the image has no LZMA-compressed volume"),
        (build_tdvf(version=2), "TDVF metadata: version 2 is not 1"),
        (td_image()[CFV_SIZE:], "the variable store is in another file: put both together, the variable store first"),
        (td_image(modules=()), "the firmware has no driver that measures into RTMRs (TdTcg2Dxe)"),
        (td_image(sections=(SECTIONS[0], *SECTIONS[2:])), "TDVF metadata has 0 sections CFV, not one"),
        (td_image(packed=packed_volume(bytes(100), cut=9)), "the modules of the firmware are not known: "),
    ],
)
def test_what_an_image_does_not_tell_is_not_invented(data: bytes, why: str) -> None:
    found = facts(data)
    assert found.why_unknown is not None
    assert found.why_unknown.startswith(why)
    assert (found.digests, found.is_whole, found.lines("rtmr")) == ({}, False, [])
    assert set(found.to_dict()["events"].values()) == {None}  # type: ignore[attr-defined]


def test_too_many_places_that_look_like_a_module_are_too_many() -> None:
    many = module(TD_TCG2, b"")[:17] * 4200
    assert "it is damaged" in (facts(td_image(packed=packed_volume(many))).why_unknown or "")


def test_a_store_that_firmware_refuses_has_no_variables() -> None:
    store = variable_store(KEYS, checksum=1)
    found = facts(td_image(store, BOTH))
    assert found.digests == {"cfv": hashlib.sha384(store).digest()}
    assert found.why_unknown == "the firmware refuses it: variable store: the checksum of the volume is wrong"


def test_variables_have_a_vendor_and_one_value() -> None:
    held = [
        Held("a", b"old", state=0x3E),
        Held("a", b"new"),
        Held("b", b"kept", state=0x3E),
        Held("c", b"header", state=0x7F),
        Held("d", b"gone", state=0x3C),
        Held("e", b""),
        Held("a", b"other", SECURITY),
    ]
    found = {(str(name.vendor), name.text): data for name, data in read_variables(variable_store(held)).items()}
    vendor = str(VARIABLES["pk"].vendor)
    assert found == {
        (vendor, "a"): b"new",
        (vendor, "b"): b"kept",
        (vendor, "e"): b"",
        (str(VARIABLES["db"].vendor), "a"): b"other",
    }
    assert variable_digest(Name(VARIABLES["pk"].vendor, "PK"), b"pk") == digests(PK=b"pk")[1]


def test_a_store_may_be_full() -> None:
    size = CFV_SIZE - 0x48 - 28 - 60 - 4
    (only,) = read_variables(variable_store([Held("x", b"1" * size)])).values()
    assert len(only) == size


@pytest.mark.parametrize(
    ("store", "message"),
    [
        (b"", "it is too short"),
        (bytes(CFV_SIZE), "no volume of this size"),
        (variable_store() + b"\xff", "no volume of this size"),
        (variable_store(attributes=0x4FEFE), "not one that OVMF takes"),
        (variable_store(revision=1), "not one that OVMF takes"),
        (variable_store(checksum=1), "checksum"),
        (variable_store(form=ENABLE), "no healthy store"),
        (variable_store(healthy=0), "no healthy store"),
        (variable_store(length=0x10000), "size 0x10000 does not fit"),
        (variable_store(length=4), "size 0x4 does not fit"),
        (variable_store([Held("PK", b"pk", state=0)]), "variable at 0x0 has an unknown state"),
        (variable_store([Held("PK", b"pk", data_size=0x10000)]), "does not end"),
        (variable_store([Held("PK", b"pk1")], after=b"\0"), "is not followed by 0xff"),
        (variable_store([Held("PK", b"1234")], rest=b"x"), "neither a variable nor 0xff"),
    ],
)
def test_a_broken_store_is_refused(store: bytes, message: str) -> None:
    with pytest.raises(MalformedFirmware, match=message):
        read_variables(store)
