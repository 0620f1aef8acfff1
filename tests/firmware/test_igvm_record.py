"""The record of an IGVM file: the same component comes back, and nothing else is read."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from catalog.abi.page_info import PageType
from catalog.errors import MalformedRecord
from catalog.firmware.blob_verifier import Enforced
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.igvm.igvm_component import (
    MAX_AFTER,
    IgvmComponent,
    IgvmContext,
    IgvmPlatform,
    KernelPage,
    LaterPage,
    NoKernelPage,
    PageState,
)
from catalog.firmware.igvm.igvm_types import HeaderType, PageDataType, PlatformType

PAGE = b"\1" + bytes(4095)
FULL = b"\2" * 4096
HEADERS = frozenset({HeaderType.SUPPORTED_PLATFORM, HeaderType.PAGE_DATA, HeaderType.VP_CONTEXT})

SNP = IgvmPlatform(
    mask=4,
    headers=HEADERS,
    data_types=frozenset({PageDataType.NORMAL, PageDataType.SECRETS}),
    contexts=(IgvmContext(0, 0xFFFFFFFFF000, PAGE), IgvmContext(1, 0x1000, FULL), IgvmContext(2, 0x2000, PAGE)),
    policy=1 << 63 | 0x30000,
    expected=b"\3" * 48,
    overlaps=2,
    states={"order=file": PageState(b"\4" * 48), "order=address vmsas=at-end": PageState(b"\5" * 48)},
    kernel_pages={
        "order=file kernel-hashes=0x10c00": KernelPage(
            b"\6" * 48,
            PAGE,
            (LaterPage(PageType.NORMAL, 0x1000, b"\7" * 48), LaterPage(PageType.SECRETS, 0x2000, bytes(48))),
        ),
        "order=address": NoKernelPage.PARAMETERS,
        "order=regions": NoKernelPage.ABSENT,
    },
)
SEV = IgvmPlatform(
    1, HEADERS, frozenset({PageDataType.NORMAL}), (), None, None, 0, {"order=file": PageState(b"\10" * 32, 8192)}
)
WHOLE = IgvmComponent(
    sha256=b"\11" * 32,
    sha384=b"\12" * 48,
    size=12288,
    headers=HEADERS | {HeaderType.MADT},
    ignored=(0x80000001, 0x80000002),
    declared=(PlatformType.SEV_SNP, PlatformType.TDX, PlatformType.SEV),
    platforms={"sev-snp": SNP, "sev": SEV},
)
BARE = replace(WHOLE, headers=HEADERS, ignored=(), declared=(PlatformType.TDX,), platforms={})
BUILD = FirmwareBuild("svsm.igvm", WHOLE, None, {})


@pytest.mark.parametrize(
    "component", [WHOLE, BARE, replace(WHOLE, declared=WHOLE.declared[:1], platforms={"sev-snp": SNP})]
)
def test_a_record_gives_the_same_component(component: IgvmComponent) -> None:
    build = replace(BUILD, component=component)
    text = build.to_toml()
    read = FirmwareBuild.parse(text)
    assert read == build
    assert read.to_toml() == text
    assert (read.is_igvm, read.component.key, hash(read.component)) == (True, b"\11" * 32, hash(component))


def test_facts_of_firmware_images_are_not_known() -> None:
    assert (WHOLE.snp_baseline, WHOLE.reset_vector, WHOLE.code, WHOLE.firmware_version) == (None, None, None, None)
    assert WHOLE.kernel_hashes_enforced is Enforced.UNKNOWN
    with pytest.raises(MalformedRecord, match=r"svsm\.igvm is an IGVM file, not a firmware image"):
        _ = BUILD.image


TEXT = BUILD.to_toml()
SHA256 = hashlib.sha256(FULL).hexdigest()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('sha256 = "0909', 'sha256 = "09', "is not 64 lowercase hex digits"),
        ("size = 12288", "size = 0", "invalid size 0"),
        ("size = 12288", "size = 1073741825", "invalid size 1073741825"),
        ('"SEV_SNP", "TDX"', '"SNP", "TDX"', "'SNP' is not a PlatformType"),
        ('"SEV_SNP", "TDX", ', '"TDX", ', "the platforms are not those that the file declares"),
        ('"SEV_SNP", "TDX"', '"SEV_SNP", "SEV_ES", "TDX"', "the platforms are not those that the file declares"),
        ('headers = ["SUPPORTED_PLATFORM", "PAGE_DATA", "VP_CONTEXT", "MADT"]', "headers = []", "type of header"),
        ('"SECRETS"]', '"SECRET"]', "'SECRET' is not a PageDataType"),
        ("0x8000000000030000", "0x18000000000030000", "a policy that is not a u64"),
        ("0x8000000000030000", "8000000000030000", "is not a number in 0x-hex"),
        ("0x8000000000030000", "policy", "'policy' is not a number in 0x-hex"),
        ("mask = 0x4", "mask = 0x6", "the mask 0x6 of a platform"),
        ("mask = 0x4", "mask = 0x0", "the mask 0x0 of a platform"),
        ("overlaps = 2", "overlaps = -1", "a number of overlaps that no file has"),
        ("overlaps = 2", f"overlaps = {1 << 60}", "a number of overlaps that no file has"),
        ("vcpu = 1", "vcpu = 3", "contexts are not in the order of their vCPUs"),
        ("gpa = 0x1000,", "gpa = 0x1001,", "multiple of 4096"),
        (f'vmsa = "{SHA256}"', f'vmsa = "{SHA256[1:]}0"', "no context has the VMSA"),
        (f'{SHA256} = "{FULL.hex()}"', "", "names the VMSA"),
        (f"{SHA256} =", f"{'0' * 64} =", "is not the SHA-256 of the page that it names"),
        ("hashed = 8192", f"hashed = {1 << 60}", "a state of 32 bytes after 1152921504606846976"),
        ('data_types = ["NORMAL", "SECRETS"]', "", "types of pages and PAGE_DATA need each other"),
        ('"SEV_SNP", "TDX", ', '"SEV_SNP", "TDX", "TDX", ', "a platform is declared twice"),
        (f"{SHA256} =", f"{'0' * 64} = 'AA'\n{SHA256} =", "is not 2 lowercase hex digits"),
        (f'{SHA256} = "', f'{SHA256} = "0000', "a page of 4,098 bytes"),
        (f'"NORMAL 0x1000 {"07" * 48}"', f'"VMSA 0x1000 {"07" * 48}"', "a VMSA as a page after the kernel page"),
        ('pages = "order=file", digest = "04', f'pages = "{"a" * 401}", digest = "04', "words in a line"),
        ("hashed = 8192", "hashed = 8191", "a state of 32 bytes after 8191"),
        (f'digest = "{"04" * 48}"', f'digest = "{"04" * 32}"', "a state is not of sev-snp"),
        (f'digest = "{"04" * 48}"', f'digest = "{"04" * 33}"', "a state of 33 bytes after 0"),
        ('pages = "order=file", digest = "04', 'pages = "order=address vmsas=at-end", digest = "04', "two states"),
        ('pages = "order=file", digest = "04', 'pages = "order=file ", digest = "04', "words in a line"),
        ('rules = "order=address"', 'rules = "order=file kernel-hashes=0x10c00"', "two states by the same rules"),
        ('none = "parameters"', 'none = "nothing"', "invalid enum value 'nothing'"),
        ('none = "parameters"', 'page = ""', "a kernel page needs before and page, or none alone"),
        ('none = "parameters"', 'none = "vmsa", page = ""', "a kernel page needs before and page, or none alone"),
        (f'"NORMAL 0x1000 {"07" * 48}"', f'"MORMAL 0x1000 {"07" * 48}"', "'MORMAL' is not a type of page"),
        (f'"NORMAL 0x1000 {"07" * 48}"', f'"NORMAL 0x1001 {"07" * 48}"', "0x1001 is not the address of a page"),
        (f'"NORMAL 0x1000 {"07" * 48}"', f'"NORMAL 0x1000 {"07" * 47}"', "the contents of a page as 47 bytes"),
        ('"SECRETS 0x2000"', f'"SECRETS 0x2000 {"07" * 48}"', "contents of a page of type SECRETS"),
        (
            "[igvm]",
            "[component]\nsnp_baseline = ''\n[igvm]",
            "needs a table [component] or a table [igvm], and not both",
        ),
        (TEXT[TEXT.index("[igvm]") :], "", "needs a table [component] or a table [igvm], and not both"),
    ],
)
def test_a_record_that_cannot_be_true_is_refused(old: str, new: str, why: str) -> None:
    assert old in TEXT
    with pytest.raises(MalformedRecord) as found:
        FirmwareBuild.parse(TEXT.replace(old, new, 1))
    assert why in str(found.value)
    assert "firmware record" in str(found.value)


def test_numbers_and_sizes_are_bounded() -> None:
    with pytest.raises(MalformedRecord, match="vCPU 65536 is not a u16"):
        IgvmContext(1 << 16, 0, PAGE)
    with pytest.raises(MalformedRecord, match="is not the address of a page"):
        IgvmContext(0, 1 << 52, PAGE)
    with pytest.raises(MalformedRecord, match="a VMSA of 1 bytes"):
        IgvmContext(0, 0, b"1")
    with pytest.raises(MalformedRecord, match="more than 4,096 contexts"):
        replace(SNP, contexts=tuple(IgvmContext(vcpu, 0, PAGE) for vcpu in range(4097)))
    with pytest.raises(MalformedRecord, match="an ID block without a launch digest"):
        replace(SNP, expected=b"")
    with pytest.raises(MalformedRecord, match="a kernel page has a wrong length"):
        KernelPage(bytes(48), b"", ())
    with pytest.raises(MalformedRecord, match="more than 4,096 pages after the kernel page"):
        KernelPage(bytes(48), PAGE, (LaterPage(PageType.ZERO, 0, bytes(48)),) * (MAX_AFTER + 1))
    with pytest.raises(MalformedRecord, match="an ID block or kernel page of sev"):
        replace(WHOLE, platforms={"sev-snp": SNP, "sev": replace(SEV, expected=bytes(48))})
    with pytest.raises(MalformedRecord, match="a hash has the wrong length"):
        replace(WHOLE, sha384=b"")


def test_a_record_made_by_fewer_loaders_agrees_with_a_later_one() -> None:
    def with_snp(**changes: Any) -> IgvmComponent:
        return replace(WHOLE, platforms={**WHOLE.platforms, "sev-snp": replace(SNP, **changes)})

    (first, state), *_ = SNP.states.items()
    (name, page), *_ = SNP.kernel_pages.items()
    older, other = with_snp(states={first: state}, kernel_pages={}), with_snp(states={}, kernel_pages={name: page})
    assert older.agrees_with(WHOLE)
    assert not WHOLE.agrees_with(older)
    assert older.joined(WHOLE) == WHOLE.joined(older) == WHOLE
    assert older.joined(other) == with_snp(states={first: state}, kernel_pages={name: page})
    for wrong in (
        with_snp(states={first: PageState(bytes(48))}),
        with_snp(kernel_pages={name: NoKernelPage.ABSENT}),
        with_snp(policy=7),
        replace(WHOLE, size=4096),
        BARE,
    ):
        assert not wrong.agrees_with(WHOLE)
        with pytest.raises(MalformedRecord, match="two records of one file contradict each other"):
            WHOLE.joined(wrong)


def test_no_launch_is_expected_on_a_platform_that_the_file_does_not_have() -> None:
    assert BUILD.launchability("sev-es").verdict == "no"
    assert BUILD.launchability("sev-snp").verdict == "unknown"
