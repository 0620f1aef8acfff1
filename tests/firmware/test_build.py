"""FirmwareBuild: reading and writing records, and errors that name the path of the invalid value."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import MalformedRecord
from catalog.firmware.build import NOT_RECORDED, FirmwareBuild, LaunchableWire, OriginWire
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.metadata import Section
from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.variable_store import Code
from tests.support.firmware_builder import AMDSEV_AREA, AMDSEV_SECTIONS, build_ovmf

FIRMWARE = FirmwareComponent.from_image(OvmfImage.parse(build_ovmf(hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS)))
BARE_IMAGE = build_ovmf(reset_vector=None)
BARE = FirmwareComponent.from_image(OvmfImage.parse(BARE_IMAGE))
ORIGIN = OriginWire(
    distribution="debian",
    suite="sid",
    package="ovmf-amdsev",
    version="2026.08-1",
    package_sha256="ab" * 32,
    path="/usr/share/OVMF/OVMF.amdsev.fd",
)
LAUNCHABLE = {
    "sev-snp": LaunchableWire(verdict="yes", reason='its descriptor says "amd-sev-snp"', source="package"),
    "sev": LaunchableWire(verdict="unknown", reason="not tried", source="-"),
}
BUILD = FirmwareBuild("debian/amdsev", FIRMWARE, ORIGIN, LAUNCHABLE)
TEXT = BUILD.to_toml()


@pytest.mark.parametrize(
    "build",
    [
        BUILD,
        FirmwareBuild("a", BARE, None, {}),
        replace(BUILD, component=replace(FIRMWARE, sections=(Section(0x800000, 0x1000, 0x77),))),
        replace(BUILD, component=replace(BARE, reset_vector=0)),
        replace(BUILD, component=replace(BARE, firmware_version="edk2-20230301gitf80f052277c8-1.fc38")),
        replace(BUILD, component=replace(BARE, code=Code(4096, bytes(range(32))))),
    ],
)
def test_a_record_is_read_back_as_it_was_written(build: FirmwareBuild) -> None:
    text = build.to_toml()
    read = FirmwareBuild.parse(text)
    assert read == build
    assert read.image.metadata_fault == build.image.metadata_fault
    assert read.image.firmware_version == build.image.firmware_version
    assert read.image.code == build.image.code
    assert read.to_toml() == text


def test_a_record_without_the_image_states_what_the_digest_follows_from() -> None:
    record = replace(BUILD, component=replace(FIRMWARE, sha256=None, sha384=None, size=None, sha256_midstate=None))
    assert FirmwareBuild.parse(record.to_toml()) == record
    for key in ("sections", "reset_vector"):
        lines = record.to_toml().splitlines()
        first = next(number for number, line in enumerate(lines) if line.startswith(f"{key} ="))
        last = lines.index("]", first) if lines[first].endswith("[") else first
        without = "\n".join(lines[:first] + lines[last + 1 :])
        with pytest.raises(
            MalformedRecord, match=f"{key} (is|are) not known, so no digest follows from the SNP baseline"
        ):
            FirmwareBuild.parse(without)
    without_sections = replace(record, component=replace(record.image, sections=()))
    assert "sections = []\n" in without_sections.to_toml()


@pytest.mark.parametrize("version", ["", "ab", "x" * 128, "caf\\u00e9", "a\\nb c", 'a\\"bc', "a\\\\bc"])
def test_a_version_that_no_image_can_have_is_refused(version: str) -> None:
    with pytest.raises(MalformedRecord, match="firmware_version is not 3 to 127 printable ASCII characters"):
        FirmwareBuild.parse(TEXT.replace("[launchable.sev]", f'firmware_version = "{version}"\n[launchable.sev]', 1))


@pytest.mark.parametrize("size", [0, len(BARE_IMAGE), len(BARE_IMAGE) + 1])
def test_code_of_a_size_that_no_combined_image_has_is_refused(size: int) -> None:
    with pytest.raises(MalformedRecord, match=f"code of {size} bytes is not the end of the image"):
        replace(BARE, code=Code(size, bytes(32)))


def test_a_hash_of_the_code_that_is_none_is_refused() -> None:
    with pytest.raises(MalformedRecord, match="code: sha256"):
        FirmwareBuild.parse(TEXT.replace("[launchable.sev]", 'code = { size = 1, sha256 = "0" }\n[launchable.sev]', 1))
    with pytest.raises(MalformedRecord, match="is not the end of the image"):
        replace(BARE, code=Code(1, b"short"))


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_arbitrary_text_round_trips(text: str) -> None:
    build = FirmwareBuild(text, BARE, None, {"sev": LaunchableWire(verdict="no", reason=text, source=text)})
    assert FirmwareBuild.parse(build.to_toml()) == build


def test_launchability_is_unknown_unless_recorded() -> None:
    assert BUILD.launchability("sev-snp").verdict == "yes"
    assert BUILD.launchability("sev-es") is NOT_RECORDED
    assert NOT_RECORDED.verdict == "unknown"


@pytest.mark.parametrize(
    ("right", "wrong", "parts"),
    [
        ('name = "debian/amdsev"', "name = 3", ["expected `str`", "$.name"]),
        ('name = "debian/amdsev"', 'title = "x"', ["unknown field `title`"]),
        ('suite = "sid"', 'suit = "sid"', ["unknown field `suit`", "$.origin"]),
        ('distribution = "debian"', "", ["missing required field `distribution`", "$.origin"]),
        ("gpa = 0x800000", 'gpa = "0x800000"', ["$.component.sections[0].gpa"]),
        ("gpa = 0x810c00", "gpb = 0x810c00", ["unknown field `gpb`", "$.component.hashes_area"]),
        ('verdict = "yes"', 'verdict = "perhaps"', ["perhaps", "$.launchable"]),
        ("[launchable.sev-snp]", '[launchable."sev snp"]', ["invalid technology 'sev snp'"]),
        ('kernel_hashes_enforced = "unknown"', 'kernel_hashes_enforced = "maybe"', ["$.component.kernel_hashes_enf"]),
        ('type = "CPUID"', 'type = "CPUDI"', ["'debian/amdsev'", "unknown section type 'CPUDI'"]),
        ('package_sha256 = "abab', 'package_sha256 = "ABab', ["'debian/amdsev'", "package_sha256", "hex digits"]),
        ('package_sha256 = "abab', 'package_sha256 = "ab', ["package_sha256", "64 lowercase hex digits"]),
        ('\nsha256 = "', '\nsha256 = "00', ["'debian/amdsev': sha256:"]),
        ('\nsha384 = "', '\nsha384 = "00', ["'debian/amdsev': sha384:"]),
        ('\nsha256_midstate = "', '\nsha256_midstate = "00', ["'debian/amdsev': sha256_midstate:"]),
        ('\nsnp_baseline = "', '\nsnp_baseline = "00', ["'debian/amdsev': snp_baseline:"]),
        ("size = 8192", "size = 8191", ["invalid size 8191"]),
        ("size = 8192", "size = 4096", ["sha256 does not follow from sha256_midstate and size"]),
        ("[component]", "[component", ["firmware record:"]),
    ],
)
def test_the_error_names_the_path_of_the_invalid_value(right: str, wrong: str, parts: list[str]) -> None:
    assert right in TEXT
    with pytest.raises(MalformedRecord) as caught:
        FirmwareBuild.parse(TEXT.replace(right, wrong, 1))
    assert str(caught.value).startswith("firmware ")
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("gpa = 0x800000,", "gpa = -4096,"),
        ("gpa = 0x800000,", "gpa = 0x100800000,"),
        ("size = 0x9000,", "size = -4096,"),
        ("gpa = 0x810c00,", "gpa = -62464,"),
        ("size = 0x400 ", "size = 0x100000400 "),
        ('type = "CPUID"', "type = -3"),
        ("reset_vector = 0x80b004", "reset_vector = -1"),
        ("reset_vector = 0x80b004", "reset_vector = 0x10080b004"),
    ],
)
def test_a_number_that_no_image_can_hold_is_refused(right: str, wrong: str) -> None:
    """Images hold 32 bits for each; a wider number in a record would be truncated when it is measured, or fail."""
    assert right in TEXT
    with pytest.raises(MalformedRecord):
        FirmwareBuild.parse(TEXT.replace(right, wrong, 1))


def test_a_section_may_be_given_by_number() -> None:
    text = TEXT.replace('type = "CPUID"', "type = 3")
    assert text != TEXT
    assert FirmwareBuild.parse(text) == BUILD
