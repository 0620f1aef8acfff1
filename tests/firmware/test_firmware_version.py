"""The version of a firmware: what two modules refer to, and nothing where that is not one string."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.firmware import firmware_version
from catalog.firmware.firmware_version import SMBIOS_PLATFORM_DXE, UI_APP, VersionSearch
from tests.support.module_builder import (
    RELEASE_DATE,
    VENDOR,
    VERSION,
    code_with_strings,
    module,
    smbios_platform_dxe,
    ui_app,
    volume_with_version,
)


def version(contents: bytes) -> str | None:
    search = VersionSearch()
    for start in range(0, len(contents), 100):
        search.feed(contents[start : start + 100])
    return search.version()


@pytest.mark.parametrize("text", [VERSION, "edk2-20230301gitf80f052277c8-1.fc38", "2023.05-2", "a b", "x" * 127])
def test_the_string_that_both_modules_refer_to_is_the_version(text: str) -> None:
    assert version(volume_with_version(text)) == text


def test_one_module_alone_says_nothing() -> None:
    assert version(smbios_platform_dxe()) is None
    assert version(ui_app()) is None
    assert version(b"") is None


def test_a_build_that_sets_no_version_has_none() -> None:
    assert version(smbios_platform_dxe("") + ui_app("")) is None
    assert version(smbios_platform_dxe("unknown") + ui_app("unknown")) is None


@pytest.mark.parametrize("more", [VENDOR, RELEASE_DATE, "02/02/2022"])
def test_two_strings_in_common_are_ambiguous(more: str) -> None:
    assert version(smbios_platform_dxe() + ui_app(VERSION, more)) is None


@pytest.mark.parametrize("text", ["no", "x" * 128, 'a "b"', "a\\b", "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "a\nbc"])
def test_what_is_no_version_for_edk2_or_no_plain_text_is_not_taken(text: str) -> None:
    assert version(volume_with_version(text)) is None


def test_a_string_that_no_code_refers_to_does_not_count() -> None:
    unused = module(UI_APP, VERSION.encode("utf-16-le") + bytes(2))
    assert version(smbios_platform_dxe() + unused) is None


@pytest.mark.parametrize("register", b"\x05\x0d\x15\x1d\x25\x2d\x35\x3d")
def test_every_register_can_take_the_address(register: int) -> None:
    code = code_with_strings(VERSION, registers=bytes([register]))
    assert version(module(SMBIOS_PLATFORM_DXE, code) + ui_app()) == VERSION
    assert version(module(SMBIOS_PLATFORM_DXE, code.replace(b"\x48\x8d", b"\x4c\x8d")) + ui_app()) == VERSION


def test_an_address_outside_the_module_is_passed_over() -> None:
    before = b"\x48\x8d\x0d" + (-1000).to_bytes(4, "little", signed=True)
    after = b"\x48\x8d\x0d" + (1 << 30).to_bytes(4, "little")
    code = before + after + code_with_strings(VERSION) + b"\x48\x8d\x0d"
    assert version(module(SMBIOS_PLATFORM_DXE, code) + ui_app()) == VERSION


def test_all_copies_of_a_module_count() -> None:
    assert version(smbios_platform_dxe() * 2 + ui_app()) == VERSION
    assert version(smbios_platform_dxe() + smbios_platform_dxe("2.0") + ui_app(VERSION, "2.0")) is None


def test_modules_with_too_many_references_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware_version, "REFERENCES_LIMIT", 6)
    assert version(smbios_platform_dxe() + ui_app()) is None  # the first has 5, the second 2
    monkeypatch.setattr(firmware_version, "REFERENCES_LIMIT", 7)
    assert version(smbios_platform_dxe() + ui_app()) == VERSION


def test_the_guid_of_a_module_everywhere_says_nothing() -> None:
    assert version(smbios_platform_dxe() + ui_app() + UI_APP.bytes_le * 5000) is None


@given(st.data())
def test_a_changed_volume_raises_nothing(data: st.DataObject) -> None:
    contents = bytearray(volume_with_version())
    for at in data.draw(st.lists(st.integers(0, len(contents) - 1), min_size=1, max_size=8)):
        contents[at] = data.draw(st.integers(0, 255))
    found = version(bytes(contents))
    assert found is None or 3 <= len(found) <= 127
