"""What each loader launches of an IGVM file, as lists of pages by hand, and what it refuses."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from catalog.abi.page_info import HAS_CONTENTS, INITIAL_DIGEST, PageType, contents_digest, fold, page_info_tail
from catalog.abi.vcpu import VcpuSignature
from catalog.abi.vmsa_layout import REGISTERS, SEGMENTS
from catalog.errors import MalformedRecord
from catalog.firmware.igvm import page_run
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.igvm_layout import (
    IS_2MB,
    SHARED,
    UNMEASURED,
)
from catalog.firmware.igvm.igvm_types import HeaderType, PlatformType
from catalog.launch.hashing.backends import sha384_implementations
from catalog.launch.igvm import pages_digest
from catalog.launch.igvm.igvm_launch import IgvmLaunch
from catalog.launch.igvm.loaded_pages import LoadedPages
from catalog.launch.igvm.reduce_igvm import reduce_igvm
from catalog.launch.igvm_rules import IgvmRules
from catalog.launch.technology import technologies
from catalog.spec import embedded
from tests.support.igvm_builder import (
    PAGES_AT,
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

LOADERS = embedded.loaders()
ALL = [(one.igvm, one.technologies) for one in LOADERS.values() if one.igvm]
ADDING_VCPUS = {"qemu-igvm", "qemu-11-igvm", "clh-kvm-igvm"}
"""Loaders under which the number of vCPUs counts."""

VMSA_GPA = 0xFFFFFFFFF000
MILAN = VcpuSignature(0xA00F11)
NORMAL, VMSA, ZERO, UNMEASURED_PAGE, SECRETS, CPUID = PageType

Expected = tuple[PageType, int, int]
"""Type, address, and the byte that the page is full of."""


def vmsa_page(features: int = 1, **at: int) -> bytes:
    """A VMSA with these features. at: a byte of a segment or register."""
    made = bytearray(4096)
    made[REGISTERS["sev_features"][0]] = features
    made[REGISTERS["efer"][0] + 1], made[REGISTERS["rflags"][0]] = 0x10, 2
    for name, value in at.items():
        made[SEGMENTS.get(name, REGISTERS.get(name, (0, ""))[0])] = value
    return bytes(made)


def launch(
    loader: str, *headers: bytes, technology: str = "sev-snp", kind: int = PlatformType.SEV_SNP, vmsa: bytes = b""
) -> IgvmLaunch:
    """A file under a loader. vmsa: what page 2 of the file is instead; VMSAs are there."""
    data = igvm_bytes(platform(kind), *headers, pages=3)
    if vmsa:
        data = data.replace(b"\2" * 4096, vmsa)
    return IgvmLaunch(reduce_igvm(IgvmFile.parse(data), ALL), technology, LOADERS[loader])


def digest(launched: IgvmLaunch, vcpus: int = 1, signature: VcpuSignature | None = MILAN) -> str:
    technology = technologies()[launched.technology]
    state = launched.baseline
    for update in launched.vmsa_updates(vcpus, signature):
        state = technology.extend(state, update)
    return technology.finish(state).hex()


def folded(pages: Sequence[Expected | bytes]) -> str:
    """The SNP launch digest of these pages; bytes: a VMSA at the end."""
    state = INITIAL_DIGEST
    for one in pages:
        kind, gpa, contents = (VMSA, VMSA_GPA, one) if isinstance(one, bytes) else (*one[:2], bytes([one[2]]) * 4096)
        tail = (
            page_info_tail(kind, gpa, contents_digest(contents)) if kind in HAS_CONTENTS else page_info_tail(kind, gpa)
        )
        state = fold(state, tail)
    return state.hex()


MIXED = (
    area(0x2000),
    page(0x3000, 1),
    page(0x2000, flags=SHARED),
    context(gpa=VMSA_GPA),
    insert(0x8000),
    page(0x4000),
    page(0x1000, kind=1),
    page(0x5000, 3, flags=UNMEASURED),
    page(0x6000, kind=2),
)
"""Pages out of order, with a VMSA and parameters between them. The VMSA has the contents of page 1."""


@pytest.mark.parametrize(
    ("loader", "pages"),
    [
        (
            "igvm-spec",
            [
                (NORMAL, 0x3000, 1),
                (VMSA, VMSA_GPA, 1),
                (UNMEASURED_PAGE, 0x8000, 0),
                (UNMEASURED_PAGE, 0x9000, 0),
                (NORMAL, 0x4000, 0),
                (SECRETS, 0x1000, 0),
                (UNMEASURED_PAGE, 0x5000, 0),
                (CPUID, 0x6000, 0),
            ],
        ),
        (
            "vanadium-igvm",
            [
                (NORMAL, 0x3000, 1),
                (ZERO, 0x2000, 0),
                (VMSA, VMSA_GPA, 1),
                (UNMEASURED_PAGE, 0x8000, 0),
                (ZERO, 0x4000, 0),
                (SECRETS, 0x1000, 0),
                (UNMEASURED_PAGE, 0x5000, 0),
                (CPUID, 0x6000, 0),
            ],
        ),
        (
            "clh-mshv-igvm",
            [
                (SECRETS, 0x1000, 0),
                (NORMAL, 0x2000, 0),
                (NORMAL, 0x3000, 1),
                (NORMAL, 0x4000, 0),
                (UNMEASURED_PAGE, 0x5000, 0),
                (CPUID, 0x6000, 0),
                (UNMEASURED_PAGE, 0x8000, 0),
                (VMSA, VMSA_GPA, 1),
            ],
        ),
        (
            "coconut-igvm",
            [
                (NORMAL, 0x3000, 1),
                (UNMEASURED_PAGE, 0x8000, 0),
                (UNMEASURED_PAGE, 0x9000, 0),
                (NORMAL, 0x2000, 0),
                (NORMAL, 0x4000, 0),
                (SECRETS, 0x1000, 0),
                (UNMEASURED_PAGE, 0x5000, 0),
                (CPUID, 0x6000, 0),
                (VMSA, VMSA_GPA, 1),
            ],
        ),
    ],
)
def test_each_loader_has_its_order_and_types(loader: str, pages: list[Expected]) -> None:
    assert digest(launch(loader, *MIXED)) == folded(pages)


def test_qemu_ends_a_region_where_pages_are_unlike_or_do_not_follow() -> None:
    headers = (
        area(),
        page(0x1000, 1),
        page(0x2000, 1),
        insert(0x8000),
        page(0x3000, 1),  # follows in memory, and not in the file
        page(0x4000),
        page(0x5000, 3),
        page(0x7000, 3),
    )
    pages = [
        (NORMAL, 0x1000, 1),
        (NORMAL, 0x2000, 1),
        (NORMAL, 0x3000, 1),
        (NORMAL, 0x4000, 0),
        (NORMAL, 0x5000, 3),
        (NORMAL, 0x7000, 3),
    ]
    assert digest(launch("coconut-igvm", *headers)) == folded([(UNMEASURED_PAGE, 0x8000, 0), *pages])
    after_a_page = (page(0x9000, 1), *headers)
    assert digest(launch("coconut-igvm", *after_a_page)) == folded(
        [(NORMAL, 0x9000, 1), (UNMEASURED_PAGE, 0x8000, 0), *pages]
    )
    assert digest(launch("coconut-igvm", area(), insert(0x8000))) == folded([(UNMEASURED_PAGE, 0x8000, 0)])


def test_a_region_may_be_longer_than_what_is_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_run, "LONGEST_RUN", 2)
    headers = (area(), *(page(0x1000 * number, 1) for number in range(5)), insert(0x8000))
    pages = [(NORMAL, 0x1000 * number, 1) for number in range(5)]
    assert digest(launch("coconut-igvm", *headers)) == folded([(UNMEASURED_PAGE, 0x8000, 0), *pages])


def test_pages_of_other_platforms_are_not_launched() -> None:
    others = (platform(PlatformType.TDX, 2), page(0x1000, 1), page(0x2000, 3, mask=2), context(mask=2))
    for loader in ("igvm-spec", "coconut-igvm"):
        assert digest(launch(loader, *others)) == folded([(NORMAL, 0x1000, 1)])


@pytest.mark.parametrize(("loader", "count"), [("igvm-spec", 512), ("coconut-igvm", 512), ("clh-mshv-igvm", 1)])
def test_pages_of_2_mib(loader: str, count: int) -> None:
    found = digest(launch(loader, page(0x200000, flags=IS_2MB)))
    assert found == folded([(NORMAL, 0x200000 + 0x1000 * number, 0) for number in range(count)])


def test_only_normal_pages_may_be_unmeasured() -> None:
    headers = (
        page(0x1000, flags=UNMEASURED),
        page(0x2000, kind=1, flags=UNMEASURED),
        page(0x3000, kind=2, flags=UNMEASURED),
    )
    pages = [(UNMEASURED_PAGE, 0x1000, 0), (SECRETS, 0x2000, 0), (CPUID, 0x3000, 0)]
    for loader in LOADERS.keys() - ADDING_VCPUS:
        assert digest(launch(loader, *headers)) == folded(pages)


@pytest.mark.parametrize("implementation", [*sha384_implementations()])
def test_every_implementation_gives_the_same_digests(implementation: str) -> None:
    chance = random.Random(3)
    lists = []
    file = IgvmFile.parse(igvm_bytes(platform(), page(0, 1), pages=3))
    for count in (0, 1, 5, 40):
        made = LoadedPages.none()
        for _ in range(count):
            kind, offset = chance.choice([*PageType]), chance.choice((0, PAGES_AT, PAGES_AT + 4096))
            made.extend(LoadedPages.one(kind, chance.randrange(1 << 52) << 12, offset))
        lists.append(made)
    uniform = LoadedPages.none()
    for number in range(9):
        uniform.extend(LoadedPages.one(SECRETS, number << 12, 0))
    expected = []
    for pages in (*lists, uniform):
        state = INITIAL_DIGEST
        for kind, gpa, offset in zip(*pages, strict=True):
            measured = (contents_digest(file.page(offset)),) if kind in HAS_CONTENTS else ()
            state = fold(state, page_info_tail(PageType(kind), gpa, *measured))
        expected.append(state)
    assert pages_digest.snp_digests(file, [*lists, uniform], implementation) == expected
    assert pages_digest.snp_digests(file, [], implementation) == []


def test_contents_beyond_those_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = [page(0x1000 * number, 1 + number % 3) for number in range(6)]
    expected = folded([(NORMAL, 0x1000 * number, 1 + number % 3) for number in range(6)])
    monkeypatch.setattr(pages_digest, "_KEPT", 1)
    assert digest(launch("igvm-spec", *headers)) == expected


def test_mainline_kvm_measures_a_vmsa_for_each_vcpu() -> None:
    own = vmsa_page(features=0x21)
    launched = launch("qemu-igvm", page(0x1000, 1), context(number=2), vmsa=own)
    reset = LOADERS["qemu-igvm"].vmsa_page(0xFFFFFFF0, MILAN, 0x21, bsp=True)
    assert launched.measures_vcpus
    assert launched.measures_signature
    assert launched.sev_features == 0x21
    assert digest(launched, 3) == folded([(NORMAL, 0x1000, 1), own, reset, reset])
    assert digest(launched, 1) == folded([(NORMAL, 0x1000, 1), own])
    with_hole = launch("qemu-igvm", context(number=2), context(number=2, vcpu=2), vmsa=own)
    assert digest(with_hole, 3) == folded([own, reset, own])
    assert with_hole.vcpus_blocker(2) == "the file has a context for vCPU 2, and the guest has fewer vCPUs"
    assert with_hole.vcpus_blocker(3) is None
    assert launch("qemu-igvm").vcpus_blocker(1) is None
    assert launch("qemu-igvm").needs_signature
    assert with_hole.needs_signature
    assert not launched.needs_signature
    assert launch("qemu-igvm").sev_features == 1


def test_other_loaders_do_not_measure_the_number_of_vcpus() -> None:
    for name in LOADERS.keys() - ADDING_VCPUS:
        launched = launch(name, page(0x1000, 1))
        assert not launched.measures_vcpus
        assert not launched.measures_signature
        assert digest(launched, 1) == digest(launched, 9)
        assert launched.vcpus_blocker(1) is None


def test_sev_and_sev_es_hash_contents() -> None:
    pages = (page(0x1000, 1), page(0x2000), page(0x3000, 3, flags=UNMEASURED))
    sev = launch("qemu-igvm", *pages, technology="sev", kind=PlatformType.SEV)
    contents = b"\1" * 4096 + bytes(4096)
    assert not sev.measures_vcpus
    assert sev.blocker is None
    assert digest(sev) == hashlib.sha256(contents).hexdigest()
    own = vmsa_page(features=0x20)
    es = launch("qemu-igvm", context(), *pages, technology="sev-es", kind=PlatformType.SEV_ES)
    assert digest(es) == hashlib.sha256(contents + b"\1" * 4096).hexdigest()
    ours = launch("qemu-igvm", context(number=2), *pages, technology="sev-es", kind=PlatformType.SEV_ES, vmsa=own)
    reset = LOADERS["qemu-igvm"].vmsa_page(0xFFFFFFF0, MILAN, 0x20, bsp=True)
    assert digest(ours, 2) == hashlib.sha256(contents + own + reset).hexdigest()
    assert ours.blocker is None


def test_the_component_says_what_the_file_asks_for() -> None:
    launched = launch("igvm-spec", policy(0xB0000), page(0, 1), page(0x1000, kind=3), id_block(bytes(range(48))))
    assert launched.platform.policy == 0xB0000
    assert launched.platform.expected == bytes(range(48))
    assert {one.name for one in launched.platform.data_types} == {"NORMAL", "CPUID_XF"}
    assert launched.image.headers >= {HeaderType.SNP_ID_BLOCK, HeaderType.PAGE_DATA}
    assert (len(launched.image.sha256), len(launched.image.sha384), launched.image.size) == (32, 48, 0x5000)
    assert launch("igvm-spec").platform.expected is None


@pytest.mark.parametrize(
    ("loader", "headers", "why"),
    [
        ("qemu-igvm", (area(), parameter(HeaderType.MADT), page(0)), "qemu-igvm does not know headers of type MADT"),
        (
            "clh-mshv-igvm",
            (header(HeaderType.ERROR_RANGE, bytes(8) + b"\1" + bytes(7)), page(0)),
            "clh-mshv-igvm does not know headers of type ERROR_RANGE",
        ),
        ("clh-mshv-igvm", (page(0, kind=3),), "clh-mshv-igvm does not know pages of type CPUID_XF"),
        ("clh-mshv-igvm", (context(vcpu=1),), "clh-mshv-igvm loads the VMSA of vCPU 0 alone"),
        ("coconut-igvm", (context(number=2), context(number=2)), "the file has two contexts for one vCPU"),
        ("clh-mshv-igvm", (page(0x1000), page(0x1000)), "refuses pages at an address that has another page"),
        ("qemu-igvm", (page(0x1000), page(0x1000)), "refuses pages at an address that has another page"),
        ("qemu-igvm", (header(0x80000001, b""), page(0)), "qemu-igvm refuses headers of unknown types"),
        ("coconut-igvm", (context(gpa=0x1000, number=2),), "its address is 0x1000, not 0xfffffffff000"),
    ],
)
def test_what_a_loader_refuses(loader: str, headers: tuple[bytes, ...], why: str) -> None:
    assert why in (launch(loader, *headers, vmsa=vmsa_page()).blocker or "")


@pytest.mark.parametrize(
    ("vmsa", "why"),
    [
        (vmsa_page(0), "sev_features 0x0 is not for sev-snp"),
        (vmsa_page(virtual_tom=1), "it sets the byte at 0x3c8, which is not one of the registers that it knows"),
        (vmsa_page()[:0xFFF] + b"\1", "it sets the byte at 0xfff"),
        (b"\1" + vmsa_page(virtual_tom=1)[1:], "it sets the byte at 0x3c8"),
        (vmsa_page(efer=1)[:0xD1] + b"\0" + vmsa_page()[0xD2:], "KVM sets 0x1000 in efer, and the file has 0x1"),
        (vmsa_page(rflags=4), "KVM sets 0x2 in rflags, and the file has 0x4"),
        (b"\0\0\0\x10" + vmsa_page()[4:], "KVM takes 12 bits of the attributes of es"),
        (vmsa_page()[:0x98] + b"\1" + vmsa_page()[0x99:], "it would launch it with the base of ldtr in tr"),
    ],
)
def test_qemu_sets_registers_and_refuses_what_it_cannot_set(vmsa: bytes, why: str) -> None:
    assert why in (launch("qemu-igvm", context(number=2), vmsa=vmsa).blocker or "")
    assert launch("igvm-spec", context(number=2), vmsa=vmsa).blocker is None


def test_files_for_something_else_are_refused() -> None:
    assert launch("igvm-spec", technology="sev").blocker == "igvm-spec does not launch sev"
    assert launch("qemu-igvm", technology="sev").blocker == "the file has no platform for sev, only SEV_SNP"
    secrets = launch("qemu-igvm", page(0, kind=1), technology="sev-es", kind=PlatformType.SEV_ES)
    assert secrets.blocker == "qemu-igvm does not know pages of type SECRETS under sev-es"
    assert launch("igvm-spec", header(0x80000001, b""), page(0)).blocker is None
    assert launch("igvm-spec", memory()).blocker == "the file has no page for sev-snp"
    many = launch("igvm-spec", context(vcpu=4096)).blocker
    assert many == "the file has a context for vCPU 4096, beyond the 4,096 of a guest"
    of_tdx = (platform(PlatformType.TDX, 2), page(0), header(HeaderType.ERROR_RANGE, bytes(8) + b"\2" + bytes(7)))
    assert launch("clh-mshv-igvm", *of_tdx).blocker is None
    assert launch("qemu-igvm", *of_tdx).blocker == "qemu-igvm does not know headers of type ERROR_RANGE"


def test_one_vcpu_does_not_have_other_features() -> None:
    data = igvm_bytes(platform(), context(number=2), context(number=3, vcpu=1), pages=3)
    data = data.replace(b"\2" * 4096, vmsa_page(1)).replace(b"\3" * 4096, vmsa_page(0x21))
    launched = IgvmLaunch(reduce_igvm(IgvmFile.parse(data), ALL), "sev-snp", LOADERS["qemu-igvm"])
    assert "its sev_features 0x21 are not those of vCPU 0, 0x1" in (launched.blocker or "")


def test_pages_at_one_address_are_counted() -> None:
    def count(*headers: bytes) -> int:
        return launch("igvm-spec", *headers).platform.overlaps

    assert count(page(0x1000), page(0x2000), context(), context(vcpu=1)) == 0
    assert count(page(0x1000), page(0x1000, 1), page(0x1000, mask=2)) == 1
    assert count(page(0x201000), page(0x200000, flags=IS_2MB)) == 1
    assert count(area(0x2000), page(0x1000), insert(0)) == 1
    assert count(page(VMSA_GPA), context()) == 1
    with_vmsa = launch("qemu-igvm", context(), technology="sev", kind=PlatformType.SEV)
    assert with_vmsa.blocker == "the file has a VP context, and a SEV guest has no VMSA"


def test_a_usual_file_is_launched_by_all() -> None:
    headers = (policy(), page(0x1000, 1), memory(), context(number=2))
    for name in LOADERS:
        assert launch(name, *headers, vmsa=vmsa_page(rip=1)).blocker is None


def test_loaders_with_the_same_rules_for_pages_share_a_state() -> None:
    rules = [one.igvm for one in LOADERS.values() if one.igvm]
    assert all(isinstance(one, IgvmRules) for one in rules)
    assert len({one.of_pages for one in rules}) == 5
    changes: dict[str, Any] = {
        "order": "address",
        "zero_type": PageType.ZERO,
        "measures_shared": True,
        "whole_large_pages": False,
        "whole_areas": False,
        "vmsas_at_end": True,
    }
    spec = LOADERS["igvm-spec"].igvm
    assert spec
    for name, value in changes.items():
        assert replace(spec, **{name: value}).of_pages != spec.of_pages
    assert replace(spec, boot_context_only=True).of_pages == spec.of_pages


def test_a_row_that_names_no_loader_or_no_platform_has_no_launch() -> None:
    launched = launch("qemu-igvm", page(0))
    image = embedded.profiles()["qemu-kvm-init2"]
    with pytest.raises(MalformedRecord, match="qemu-kvm-init2 launches firmware images, and this is an IGVM file"):
        _ = replace(launched, vmm=image).rules
    with pytest.raises(MalformedRecord, match="the file has no platform for sev, only SEV_SNP"):
        _ = replace(launched, technology="sev").platform
