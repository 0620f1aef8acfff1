"""tar archives: what Python's tarfile writes is read, and what would take memory or time is refused before."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.containers.reading import Reader
from catalog.containers.tar_archive import tar_members
from catalog.errors import MalformedFirmware

LONG = "/".join(["folder" * 6] * 9)
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
Entries = dict[str, tuple[bytes, bytes, str]]


def tar(form: int, entries: Entries, headers: dict[str, str] | None = None) -> bytes:
    """An archive with kind, contents and link target by name."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=form, pax_headers=headers) as target:
        for name, (kind, contents, link) in entries.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.size, entry.linkname = kind, len(contents), link
            target.addfile(entry, io.BytesIO(contents))
    return archive.getvalue()


def listed(data: bytes, step: int = 700) -> list[tuple[str, bytes, str | None]]:
    chunks: Iterator[bytes] = (data[at : at + step] for at in range(0, len(data), step))
    return [(member.path, member.read(), member.link) for member in tar_members(Reader(chunks))]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("step", [1, 512, 1 << 16])
def test_files_and_links_are_listed_in_every_form(form: str, step: int) -> None:
    name = "a" * 90 if form == "ustar" else LONG
    entries: Entries = {
        "./": (tarfile.DIRTYPE, b"", ""),
        "./usr/x": (tarfile.REGTYPE, b"one" * 400, ""),
        f"deep{'/deep' * 20}/{name}"[-250:]: (tarfile.REGTYPE, b"two", ""),
        "device": (tarfile.CHRTYPE, b"", ""),
        "soft": (tarfile.SYMTYPE, b"", name),
        "hard": (tarfile.LNKTYPE, b"", "./usr/x"),
        "empty": (tarfile.AREGTYPE, b"", ""),
    }
    found = listed(tar(FORMATS[form], entries, {"comment": "x"} if form == "pax" else None), step)
    assert found == [
        ("usr/x", b"one" * 400, None),
        (list(entries)[2], b"two", None),
        ("soft", b"", name),
        ("hard", b"", "/usr/x"),
        ("empty", b"", None),
    ]


def test_contents_that_nobody_reads_are_passed_over() -> None:
    data = tar(tarfile.GNU_FORMAT, {name: (tarfile.REGTYPE, bytes(1000), "") for name in "abc"})
    assert [member.path for member in tar_members(Reader(iter((data,))))] == ["a", "b", "c"]


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_long_name_is_refused_before_it_is_read(kind: bytes) -> None:
    data = tar(tarfile.USTAR_FORMAT, {"x": (kind, b"", "")})
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, (1 << 16) + 1
    with pytest.raises(MalformedFirmware, match="a name in its archive of files has 65537 bytes"):
        listed(header.tobuf(tarfile.USTAR_FORMAT) + data)


def test_a_sparse_file_is_passed_over() -> None:
    header = tarfile.TarInfo("sparse")
    header.type, header.size = tarfile.GNUTYPE_SPARSE, 512
    rest = tar(tarfile.GNU_FORMAT, {"x": (tarfile.REGTYPE, b"one", "")})
    assert listed(header.tobuf(tarfile.GNU_FORMAT) + bytes(512) + rest) == [("x", b"one", None)]


def test_a_size_of_more_digits_than_fit_is_read() -> None:
    header = tarfile.TarInfo("large")
    header.size = 1 << 40
    (member,) = tar_members(Reader(iter((header.tobuf(tarfile.GNU_FORMAT),))))
    assert member.size == 1 << 40


def test_an_archive_that_ends_within_a_file_is_refused() -> None:
    data = tar(tarfile.GNU_FORMAT, {"x": (tarfile.REGTYPE, bytes(1000), "")})
    with pytest.raises(MalformedFirmware, match="ends too early"):
        listed(data[:1000])


@pytest.mark.parametrize("at", [0, 100, 124, 148, 156, 257])
def test_a_header_without_its_checksum_is_refused(at: int) -> None:
    data = bytearray(tar(tarfile.GNU_FORMAT, {"x": (tarfile.REGTYPE, b"one", "")}))
    data[at] ^= 1
    with pytest.raises(MalformedFirmware, match="damaged"):
        listed(bytes(data))


@given(records=st.binary(max_size=60) | st.just(b"9 path=a\n0 path=b\n") | st.just(b"99 path=a\n"))
def test_any_extended_header_is_read_or_passed_over(records: bytes) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, len(records)
    block = header.tobuf(tarfile.USTAR_FORMAT) + records.ljust(512 if records else 0, b"\0")
    rest = tar(tarfile.USTAR_FORMAT, {"y": (tarfile.REGTYPE, b"one", "")})
    ((_, contents, _),) = listed(block + rest)
    assert contents == b"one"
