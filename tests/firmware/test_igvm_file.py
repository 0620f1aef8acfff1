"""IGVM files of both versions are read; broken ones are refused, whatever was changed in their headers."""

from __future__ import annotations

import random
import struct

import pytest

from catalog.errors import MalformedFirmware
from catalog.firmware.igvm import igvm_checks, igvm_file, page_run
from catalog.firmware.igvm.igvm_file import IgvmFile, is_igvm
from catalog.firmware.igvm.igvm_layout import (
    LAYOUT,
    PageData,
    SnpIdBlock,
    VpContext,
)
from catalog.firmware.igvm.igvm_types import HeaderType, PlatformType
from catalog.firmware.igvm.page_run import PageRun
from tests.support.igvm_builder import (
    PAGES_AT,
    SNP,
    area,
    context,
    header,
    id_block,
    insert,
    memory,
    page,
    parameter,
    platform,
    policy,
)
from tests.support.igvm_builder import (
    igvm_bytes as made,
)

MINIMAL = (platform(), policy(), page(0x1000, 1), context(number=2))
VTL = struct.Struct("<IHBBQQQQQ")


def refused(*headers: bytes, pages: int = 2) -> str:
    with pytest.raises(MalformedFirmware) as found:
        IgvmFile.parse(made(*headers, pages=pages))
    return str(found.value)


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_is_read(version: int) -> None:
    data = made(*MINIMAL, id_block(bytes(range(48))), pages=2, version=version)
    read = IgvmFile.parse(data)
    assert (read.data, read.version, read.architecture) == (data, version, "x64")
    assert (read.ignored, read.padded, read.undeclared) == ((), 0, 0)
    assert read.platform(PlatformType.SEV_SNP) == read.platforms[0]
    assert read.platform(PlatformType.TDX) is None
    (_, _), (_, rules), (kind, run), (_, vcpu), (_, block) = read.headers
    assert kind == HeaderType.PAGE_DATA
    assert rules._asdict() == {"policy": 0x30000, "mask": SNP, "reserved": 0}
    assert isinstance(run, PageRun)
    (first,) = run.each()
    assert (run.number, first) == (2, PageData(0x1000, SNP, PAGES_AT, 0, 0, 0))
    assert isinstance(vcpu, VpContext)
    assert isinstance(block, SnpIdBlock)
    assert (first.gpa, vcpu.gpa, block.digest) == (0x1000, 0xFFFFFFFFF000, bytes(range(48)))
    assert (read.page(first.file_offset), read.page(vcpu.file_offset)) == (b"\1" * 4096, b"\2" * 4096)
    assert read.page(0) == bytes(4096)


def test_the_other_architecture() -> None:
    arm = made(platform(PlatformType.CCA), version=2, fixed=struct.pack("<II", 1, 4096))
    assert IgvmFile.parse(arm).architecture == "aarch64"


@pytest.mark.parametrize("fixed", [struct.pack("<II", 2, 4096), struct.pack("<II", 0, 65536)])
def test_another_architecture_or_page_size_is_refused(fixed: bytes) -> None:
    with pytest.raises(MalformedFirmware, match="unknown architecture"):
        IgvmFile.parse(made(*MINIMAL, pages=2, version=2, fixed=fixed))


def test_every_header_type_is_read() -> None:
    fixed = {
        HeaderType.SUPPORTED_PLATFORM: platform(),
        HeaderType.PARAMETER_AREA: area(),
        HeaderType.PARAMETER_INSERT: insert(0x3000),
        HeaderType.VP_CONTEXT: context(),
        HeaderType.CORIM_DOCUMENT: header(HeaderType.CORIM_DOCUMENT, struct.pack("<IIII", SNP, PAGES_AT, 5, 0)),
        HeaderType.CORIM_SIGNATURE: header(HeaderType.CORIM_SIGNATURE, struct.pack("<IIII", SNP, PAGES_AT, 5, 0)),
    }
    kinds = sorted(LAYOUT, key=lambda kind: (kind, kind == HeaderType.PARAMETER_INSERT))
    kinds.append(kinds.pop(kinds.index(HeaderType.PARAMETER_INSERT)))
    headers = [fixed.get(HeaderType(kind)) or header(kind, bytes(LAYOUT[kind][1].size)) for kind in kinds]
    assert [kind for kind, _ in IgvmFile.parse(made(*headers)).headers] == kinds


def test_padding_that_is_not_zero_is_counted() -> None:
    vcpu = context(number=2)
    read = IgvmFile.parse(made(*MINIMAL[:3], vcpu[:-4] + b"0000", pages=2))
    assert (read.padded, len(list(read.headers))) == (1, 4)


def test_an_unknown_header_is_refused_unless_it_may_be_ignored() -> None:
    assert "the unknown type 0x306" in refused(*MINIMAL, header(0x306, b"123"))
    read = IgvmFile.parse(made(platform(), header(0x80000306, b"123"), *MINIMAL[1:], pages=2))
    assert read.ignored == (0x80000306,)
    assert len(list(read.headers)) == 4


def test_bits_of_masks_without_a_platform_are_told() -> None:
    assert IgvmFile.parse(made(*MINIMAL, memory(mask=0x16), pages=2)).undeclared == 0x16
    assert IgvmFile.parse(made(*MINIMAL, page(0, mask=5), pages=2)).undeclared == 4


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ((), "for no platform"),
        ((policy(),), "for no platform"),
        ((*MINIMAL, policy()), "GUEST_POLICY header at 0x88 comes after"),
        ((platform(mask=3),), "has the mask 0x3, and not one bit"),
        ((platform(mask=0),), "has the mask 0x0, and not one bit"),
        ((platform(), platform(PlatformType.TDX)), "has the mask 0x1, and not one bit"),
        ((platform(), platform(mask=2)), "is for the platform of another one"),
        ((platform(7),), "unknown platform 7, version 1"),
        ((platform(version=2),), "unknown platform 2, version 2"),
        ((platform(), policy(), policy()), "is the second one of a platform"),
        ((platform(), policy(reserved=1)), "has reserved bits"),
        ((platform(), header(HeaderType.GUEST_POLICY, bytes(8))), "has 8 bytes, not 16"),
        ((platform(), header(HeaderType.RELOCATABLE_REGION, VTL.pack(1, 0, 0, 0, 0, 1, 0, 0, 0))), "not whole pages"),
        (
            (platform(), header(HeaderType.PAGE_TABLE_RELOCATION_REGION, struct.pack("<IHBBQQQ", 1, 0, 0, 1, 0, 0, 0))),
            "has reserved",
        ),
        ((platform(), header(HeaderType.CORIM_DOCUMENT, struct.pack("<IIII", 1, PAGES_AT, 1 << 20, 0))), "has no data"),
        ((platform(), header(HeaderType.CCA_POLICY, bytes(31) + b"\1")), "has reserved"),
        ((platform(), area(), area()), "is the second one of area 0"),
        ((platform(), area(0)), "has 0x0 bytes, which are not whole pages"),
        ((platform(), area(4095)), "has 0xfff bytes, which are not whole pages"),
        ((platform(), area(1 << 32, contents=1)), "has no data"),
        ((platform(), page(0x1001)), "has the address 0x1001, where no page of 0x1000 bytes is"),
        ((platform(), page(0x1000, flags=1)), "has the address 0x1000, where no page of 0x200000 bytes is"),
        ((platform(), page(0, flags=8)), "unknown flags 0x8"),
        ((platform(), page(0, kind=4)), "unknown data type 4"),
        ((platform(), page(0, 1, flags=1)), "a page of 2 MiB with contents"),
        ((platform(), page(0, 3)), "has 0x1000 bytes at 0x4000, where the file has no data"),
        ((platform(), page(0, reserved=1)), "has reserved"),
        ((platform(), insert(0)), "inserts area 0, which is not there"),
        ((platform(), area(), insert(0), insert(0x1000)), "inserts area 0, which is not there or was inserted before"),
        ((platform(), area(), insert(1)), "not whole pages"),
        ((platform(), area(), insert((1 << 64) - 4096), area(8192, 1), insert((1 << 64) - 4096, 1)), "not whole pages"),
        ((platform(), area(), parameter(offset=4096)), "is at 0x1000 of area 0, which is not there"),
        ((platform(), area(), insert(0), parameter()), "was inserted before"),
        ((platform(), context(number=0)), "has no data"),
        ((platform(), platform(PlatformType.TDX, 2), context(mask=3)), "is for the mask 0x3, and not for one platform"),
        ((platform(), id_block(bytes(48)), id_block(bytes(48))), "is the second one of a platform"),
        ((platform(), header(HeaderType.RELOCATABLE_REGION, VTL.pack(1, 0, 0, 8, 0, 0, 0, 0, 0))), "has reserved"),
        (
            (platform(), header(HeaderType.PAGE_TABLE_RELOCATION_REGION, struct.pack("<IHBBQQQ", 1, 0, 0, 0, 0, 0, 1))),
            "uses 0x1 bytes of 0x0",
        ),
        ((platform(), context(gpa=8)), "not whole pages"),
        ((platform(), context(reserved=1)), "has reserved"),
        ((platform(), memory(flags=2)), "unknown flags 0x2"),
        ((platform(), memory(reserved=2)), "has reserved"),
        ((platform(), memory(size=1)), "not whole pages"),
        ((platform(), id_block(bytes(48), author=2)), "has reserved"),
        ((platform(), id_block(bytes(48), reserved=b"\0\0\1")), "has reserved"),
        ((platform(), header(HeaderType.ERROR_RANGE, struct.pack("<QII", 0, 1, 1))), "not whole pages"),
        ((platform(), area(1 << 33), insert(0), page(0)), "is behind 2,097,152 pages, which is the most"),
        ((platform(), struct.pack("<II", 0x301, 16)), "has 16 bytes, and 0 are left"),
    ],
)
def test_a_broken_file_is_refused(headers: tuple[bytes, ...], why: str) -> None:
    assert why in refused(*headers)


def test_more_headers_than_the_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(igvm_file, "MAX_HEADERS", 4)
    IgvmFile.parse(made(*MINIMAL, pages=2))
    assert "more than 4 variable headers" in refused(*MINIMAL, page(0x2000), memory())
    assert "more than 4 variable headers" in refused(
        platform(), *(page(0x1000 * number) for number in range(5)), memory()
    )


def test_more_pages_than_the_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(igvm_checks, "MAX_PAGES", 513)
    IgvmFile.parse(made(platform(), page(0, flags=1), page(0x200000)))
    assert "behind 513 pages" in refused(platform(), page(0, flags=1), page(0x200000), page(0x201000))


def test_every_cut_of_a_file_is_refused() -> None:
    data = made(*MINIMAL, pages=2)
    for size in [*range(200), *range(200, len(data), 997), len(data) - 1]:
        with pytest.raises(MalformedFirmware):
            IgvmFile.parse(data[:size])


def test_every_changed_bit_of_the_headers_is_refused() -> None:
    """But in the gap between the headers and the data, which has no meaning."""
    headers = (*MINIMAL, area(), insert(0x5000), id_block(bytes(48)))
    data = made(*headers, pages=2, version=2)
    for at in range(8 * (32 + sum(map(len, headers)))):
        changed = bytearray(data)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(MalformedFirmware):
            IgvmFile.parse(bytes(changed))


def test_what_is_no_igvm_file_is_refused() -> None:
    assert is_igvm(made(*MINIMAL))
    assert not is_igvm(b"MZ")
    for data in (b"", b"IGVM", random.Random(1).randbytes(100)):
        with pytest.raises(MalformedFirmware, match="not an IGVM file"):
            IgvmFile.parse(data)
    with pytest.raises(MalformedFirmware, match="unknown IGVM format version 3"):
        IgvmFile.parse(b"IGVM\3" + made(*MINIMAL)[5:])


def test_a_larger_file_than_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(igvm_file, "MAX_FILE_SIZE", 0x3000)
    assert "more than an IGVM file" in refused(*MINIMAL)


@pytest.mark.parametrize(("begin", "size"), [(16, 8), (28, 8), (24, 9), (24, 1 << 20)])
def test_headers_that_do_not_fit_are_refused(begin: int, size: int) -> None:
    data = made(*MINIMAL, pages=2)
    with pytest.raises(MalformedFirmware, match="do not fit"):
        IgvmFile.parse(data[:8] + struct.pack("<II", begin, size) + data[16:])


def test_runs_of_pages_are_those_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_run, "LONGEST_RUN", 2)
    pages = [page(0x200000 * number, 0, flags=1, kind=number % 4) for number in range(5)]
    read = IgvmFile.parse(made(*MINIMAL[:2], *pages, context(number=2), *MINIMAL[2:3], pages=2))
    runs = [one for _, one in read.headers if isinstance(one, PageRun)]
    assert [(run.number, len(run.gpas)) for run in runs] == [(2, 2), (4, 2), (6, 1), (8, 1)]
    found = [(one.gpa, one.flags, one.data_type) for run in runs for one in run.each()]
    assert found == [*((0x200000 * number, 1, number % 4) for number in range(5)), (0x1000, 0, 0)]


@pytest.mark.parametrize("at", [0, 4, 9])
def test_what_is_wrong_in_a_run_is_named_by_its_place(at: int) -> None:
    pages = [page(0x1000 * number, reserved=number == at) for number in range(10)]
    assert f"the PAGE_DATA header at {24 + 24 + 32 * at:#x} has reserved" in refused(platform(), *pages)


def test_numbers_are_little_endian_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this machine had the other order: then numbers come out reversed."""
    monkeypatch.setattr(page_run, "_IS_BIG_ENDIAN", True)
    one = page(0x0102030405060708, 1)
    run = page_run.PageRun.read(one, 0, len(one), 0)
    assert run
    assert list(run.gpas) == [0x0807060504030201]


def test_what_takes_long_to_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(igvm_file, "MAX_RUNS", 4)
    IgvmFile.parse(made(*MINIMAL, pages=2))
    assert "more than 4 headers that are not pages" in refused(*MINIMAL, page(0x2000))
    monkeypatch.undo()
    monkeypatch.setattr(igvm_checks, "MAX_CHANGES", 2)
    assert "change more than 2 times" in refused(*MINIMAL[:2], page(0), page(0, flags=2), page(0))
    monkeypatch.undo()
    monkeypatch.setattr(igvm_checks, "MAX_CONTEXTS", 1)
    assert "is behind 1 others" in refused(*MINIMAL, context(vcpu=1))


def test_some_types_of_ignored_headers_are_kept() -> None:
    many = [header(0x80000001 + number, b"") for number in range(100)]
    assert len(IgvmFile.parse(made(platform(), *many, page(0))).ignored) == 64
