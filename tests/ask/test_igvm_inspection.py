"""What `ldcat inspect` says of an IGVM file."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from catalog.abi.guest_policy import SevPolicy
from catalog.abi.vmsa_layout import REGISTERS
from catalog.ask.igvm import igvm_inspection
from catalog.ask.igvm.igvm_inspection import IgvmInspection
from catalog.ask.igvm.opened_igvm import OpenedIgvm
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.igvm_layout import (
    IS_2MB,
    SHARED,
    UNMEASURED,
)
from catalog.firmware.igvm.igvm_types import HeaderType, PlatformType
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
    parameter,
    platform,
    policy,
)

CLH, QEMU = ("clh-kvm-igvm", "clh-mshv-igvm"), ("qemu-11-igvm", "qemu-igvm")


def inspected(data: bytes, *builds: FirmwareBuild) -> dict[str, Any]:
    return IgvmInspection(OpenedIgvm("a.igvm", IgvmFile.parse(data)), builds).to_dict()


MIXED = (
    platform(),
    platform(PlatformType.TDX, 2),
    policy(0xB0000),
    area(0x2000),
    parameter(),
    parameter(HeaderType.MADT),
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
        (0x8000, 0x2000, "parameter area 0: VP_COUNT, MADT", 1),
        (0x1000, 0x2000, "NORMAL pages", 3),
        (0x3000, 0x1000, "NORMAL pages, no-data", 1),
        (0x4000, 0x1000, "NORMAL pages, unmeasured", 1),
        (0x5000, 0x1000, "NORMAL pages, no-data, shared", 1),
        (0x400000, 0x200000, "NORMAL pages, no-data, 2mb", 1),
        (0x100000, 0x2000, "required memory", 1),
        (0x700000, 0x1000, "error range", 1),
        (0xFFFFFFFFF000, 0x1000, "context of vCPU 0", 1),
    ]
    pages, shared = found["memory_map"][1], found["memory_map"][4]
    assert pages["sha256"] == hashlib.sha256(b"\1" * 0x2000).hexdigest()
    assert (shared["data_type"], shared["flags"], shared["sha256"]) == ("NORMAL", ["no-data", "shared"], None)


def rules_that_matter(*headers: bytes) -> dict[str, Any]:
    (found,) = inspected(igvm_bytes(platform(), *headers, pages=2))["platforms"]
    return {each["rule"]: (each["count"], each["loaders"]) for each in found["differences"]}


def test_where_loaders_differ() -> None:
    pages = (page(0xB000), page(0x5000, flags=SHARED), page(0x400000, flags=IS_2MB))
    found = rules_that_matter(area(0x2000), *pages, insert(0x8000))
    assert {rule: count for rule, (count, _) in found.items()} == {
        "order": 4,
        "pages_without_data": 3,
        "shared_pages": 1,
        "large_pages": 1,
        "parameter_areas": 1,
        "vcpus_without_context": 1,
    }
    assert found["shared_pages"][1] == {
        "NORMAL": [*CLH, "coconut-igvm", *QEMU, "vanadium-igvm"],
        "not-measured": ["hyperv-igvm", "igvm-spec"],
    }
    assert found["order"][1]["regions, VMSAs at-end"] == ["coconut-igvm", *QEMU]
    only_vcpus = {"vcpus_without_context"}
    assert rules_that_matter(page(0x1000, 1)).keys() == only_vcpus
    assert (
        rules_that_matter(page(0x1000, flags=UNMEASURED), page(0x2000, flags=UNMEASURED | SHARED)).keys() == only_vcpus
    )
    assert inspected(igvm_bytes(*MIXED, pages=2))["platforms"][1]["differences"] == []


def test_an_area_between_ascending_pages_makes_a_difference() -> None:
    headers = (area(), page(0x1000, 1), insert(0x2000), page(0x3000, 1))
    assert rules_that_matter(*headers).keys() == {"order", "vcpus_without_context"}
    launches = inspected(igvm_bytes(platform(), *headers))["launches"]
    assert len({each["launch_digest"] for each in launches if each["launch_digest"]}) == 3


def test_a_vmsa_before_pages_makes_a_difference() -> None:
    assert "order" in rules_that_matter(context(), page(0x2000, 1))
    assert "order" not in rules_that_matter(page(0x2000, 1), context())


def test_launches_say_whether_the_id_block_matches() -> None:
    usual = (platform(), page(0x1000), page(0x2000, 1))
    found = {each["vmm"]: each for each in inspected(igvm_bytes(*usual))["launches"]}
    assert list(found) == list(embedded.loaders())
    assert {each["id_block"] for each in found.values()} == {None}
    expected = bytes.fromhex(found["vanadium-igvm"]["launch_digest"])
    with_block = inspected(igvm_bytes(*usual, id_block(expected)))["launches"]
    assert {each["vmm"]: each["id_block"] for each in with_block} == {
        name: "matches" if name == "vanadium-igvm" else None if name in QEMU else "differs"
        for name in embedded.loaders()
    }
    assert found["qemu-igvm"]["fault"] == "the digest depends on the vCPU type: ldcat measure computes it"
    notes = inspected(igvm_bytes(*usual, id_block(expected)))["notes"]
    assert [note["text"] for note in notes] == ["the ID block of the file expects the digest under vanadium-igvm"]
    (wrong,) = inspected(igvm_bytes(*usual, id_block(bytes(48))))["notes"]
    assert (wrong["code"], wrong["severity"]) == ("id-block-differs", "danger")
    (refused,) = (each for each in inspected(igvm_bytes(*MIXED, pages=2))["launches"] if each["vmm"] == "qemu-igvm")
    assert (refused["measurable"], refused["launch_digest"]) == ("no", None)
    assert refused["fault"] == "qemu-igvm does not know headers of type MADT, ERROR_RANGE"


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
    found = inspected(igvm_bytes(platform(), *pages))
    assert (len(found["memory_map"]), found["memory_map_more"]) == (2, 7)


def test_the_policy_of_sev_is_read_as_such() -> None:
    found = inspected(igvm_bytes(platform(PlatformType.SEV_ES), policy(5), page(0x1000), context()))
    assert found["platforms"][0]["policy"] == {"value": "0x5", **SevPolicy.parse(5).to_dict()}
    assert [each["vmm"] for each in found["launches"]] == list(QEMU)


def test_vmsas_at_the_end_count_as_such() -> None:
    """A VMSA without bytes that QEMU refuses, before a page."""
    data = igvm_bytes(platform(), context(number=2), page(0x2000, 1), pages=2)
    vmsa = bytearray(4096)
    vmsa[REGISTERS["sev_features"][0]], vmsa[REGISTERS["efer"][0] + 1], vmsa[REGISTERS["rflags"][0]] = 1, 0x10, 2
    found = inspected(data.replace(b"\2" * 4096, bytes(vmsa)))["platforms"][0]["differences"]
    assert found[0]["loaders"]["regions, VMSAs at-end"] == ["coconut-igvm", *QEMU]
