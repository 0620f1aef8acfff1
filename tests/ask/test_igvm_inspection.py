"""What `ldcat inspect` says of an IGVM file."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.ask.igvm import igvm_inspection
from catalog.ask.igvm.igvm_inspection import IgvmInspection
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.igvm_layout import IS_2MB, SHARED, UNMEASURED, PlatformType
from catalog.firmware.ovmf import FOUR_GIB, OvmfImage
from catalog.spec import embedded
from catalog.spec.named_builds import build_of_image
from tests.support.firmware_builder import build_ovmf
from tests.support.igvm_builder import (
    area,
    context,
    header,
    id_block,
    igvm_bytes,
    insert,
    memory,
    page,
    platform,
    policy,
)


def inspected(data: bytes, *builds: FirmwareBuild) -> dict[str, Any]:
    return IgvmInspection("a.igvm", IgvmFile.parse(data), builds).to_dict()


MIXED = (
    platform(),
    platform(PlatformType.TDX, 2),
    policy(0xB0000),
    area(0x2000),
    insert(0x8000),
    page(0x1000, 1, mask=3),
    page(0x2000, 1, mask=3),
    page(0x3000),
    page(0x4000, 1, flags=UNMEASURED),
    page(0x5000, flags=SHARED),
    page(0x400000, flags=IS_2MB),
    memory(0x100000, 0x2000),
    header(0x30D, bytes.fromhex("0000700000000000" + "01000000" + "00100000")),
    context(),
    id_block(bytes(range(48))),
)


def test_platforms_memory_and_headers() -> None:
    found = inspected(igvm_bytes(*MIXED, pages=2, version=2))
    assert (found["format_version"], found["architecture"], found["size"]) == (2, "x64", 0x4000)
    snp, tdx = found["platforms"]
    assert (snp["platform"], snp["technology"], tdx["platform"], tdx["technology"]) == (
        "SEV_SNP",
        "sev-snp",
        "TDX",
        None,
    )
    assert (snp["policy"]["value"], snp["policy"]["debug"], tdx["policy"]) == ("0xb0000", True, None)
    assert snp["id_block"]["launch_digest"] == bytes(range(48)).hex()
    assert tdx["id_block"] is None
    assert (snp["contexts"][0]["vcpu"], snp["contexts"][0]["gpa"], tdx["contexts"]) == (0, 0xFFFFFFFFF000, [])
    assert found["headers"]["PAGE_DATA"] == 6
    ranges = [(each["gpa"], each["size"], each["what"], each["mask"]) for each in found["memory_map"]]
    assert ranges == [
        (0x8000, 0x2000, "parameter area 0", 1),
        (0x1000, 0x2000, "NORMAL pages", 3),
        (0x3000, 0x1000, "NORMAL pages, without data", 1),
        (0x4000, 0x1000, "NORMAL pages, unmeasured", 1),
        (0x5000, 0x1000, "NORMAL pages, without data, shared", 1),
        (0x400000, 0x200000, "NORMAL pages, without data", 1),
        (0x100000, 0x2000, "required memory", 1),
        (0x700000, 0x1000, "error range", 1),
    ]


def test_where_loaders_differ() -> None:
    snp, tdx = inspected(igvm_bytes(*MIXED, pages=2))["platforms"]
    assert [each["what"] for each in snp["differences"]] == [
        "pages, VMSAs and parameters are not in the order of their addresses",
        "pages without data: 3",
        "pages shared with the host: 1",
        "pages of 2 MiB: 1",
        "parameter areas of more than one page: 1",
        "vCPUs with a context: 1",
    ]
    assert snp["differences"][2]["loaders"] == {
        "measured as NORMAL": ["clh-mshv-igvm", "coconut-igvm", "qemu-igvm", "vanadium-igvm"],
        "not measured": ["hyperv-igvm", "igvm-spec"],
    }
    assert tdx["differences"] == []
    (plain,) = inspected(igvm_bytes(platform(), page(0x1000, 1)))["platforms"]
    assert plain["differences"] == []


def test_launches_say_whether_the_id_block_matches() -> None:
    usual = (platform(), page(0x1000), page(0x2000, 1))
    found = {each["vmm"]: each for each in inspected(igvm_bytes(*usual))["launches"]}
    assert list(found) == list(embedded.loaders())
    assert {each["id_block"] for each in found.values()} == {None}
    expected = bytes.fromhex(found["vanadium-igvm"]["launch_digest"])
    with_block = inspected(igvm_bytes(*usual, id_block(expected)))["launches"]
    assert {each["vmm"]: each["id_block"] for each in with_block} == {
        name: "matches" if name == "vanadium-igvm" else None if name == "qemu-igvm" else "differs"
        for name in embedded.loaders()
    }
    (refused,) = (each for each in inspected(igvm_bytes(*MIXED, pages=2))["launches"] if each["vmm"] == "qemu-igvm")
    assert (refused["measurable"], refused["launch_digest"]) == ("no", None)
    assert refused["fault"] == "qemu-igvm does not know ERROR_RANGE headers"


def test_a_firmware_image_below_4_gib_is_recognised() -> None:
    image = build_ovmf(pages=3)
    build = build_of_image(OvmfImage.parse(image), "own.fd")
    pages = [page(FOUR_GIB - 0x3000 + 0x1000 * number, number + 1) for number in range(3)]
    data = igvm_bytes(platform(), page(0x1000), *pages, pages=3)
    data = data[: -len(image)] + image
    (known,) = inspected(data, build)["platforms"]
    assert (known["firmware"]["gpa"], known["firmware"]["size"]) == (FOUR_GIB - 0x3000, 0x3000)
    assert known["firmware"]["known_tails"] == [{"size": 0x3000, "builds": ["own.fd"], "code_of": []}]
    (unknown,) = inspected(data)["platforms"]
    assert unknown["firmware"]["known_tails"] == []
    assert inspected(igvm_bytes(platform(), page(0x1000)))["platforms"][0]["firmware"] is None


def test_what_is_odd_is_told() -> None:
    padded = context()[:-4] + b"0000"
    twice = (page(0x1000), page(0x1000, 1))
    data = igvm_bytes(platform(), *twice, page(0x2000, mask=5), header(0x80000001, b""), padded)
    assert [(note["severity"], note["code"]) for note in inspected(data)["notes"]] == [
        ("warning", "igvm-padding-not-zero"),
        ("warning", "igvm-pages-overlap"),
        ("info", "igvm-mask-undeclared"),
        ("info", "igvm-header-ignored"),
    ]


def test_ranges_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(igvm_inspection, "MAX_RANGES", 2)
    pages = [page(0x2000 * number) for number in range(9)]
    assert len(inspected(igvm_bytes(platform(), *pages))["memory_map"]) == 2
