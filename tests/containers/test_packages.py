"""Packages: the files of .deb and .rpm, however their archives are compressed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.containers import container, tar_archive
from catalog.containers.container import Package
from catalog.containers.formats import rpm as rpm_format
from catalog.containers.unwrap import formats, unwrap
from catalog.errors import LdcatError, MalformedFirmware
from tests.support.container_writers import COMPRESSORS, File, cpio, deb, rpm, same
from tests.support.samples import bare_image, whole_image

FILES = (
    File("usr/share/doc/copyright", b"free"),
    File("usr/share/OVMF/OVMF.fd", whole_image()),
    File("usr/share/OVMF/link.fd", link="OVMF.fd"),
    File("usr/share/qemu/up.fd", link="../OVMF/link.fd"),
    File("usr/share/qemu/root.fd", link="/usr/share/OVMF/OVMF.fd"),
    File("usr/share/loop.fd", link="loop.fd"),
)
WRITERS = {"Debian package": deb, "RPM package": rpm}


def plain(view: memoryview) -> Iterator[bytes]:
    return iter((bytes(view),))


def test_every_package_format_is_tested_here() -> None:
    assert {name for name, one in formats().items() if isinstance(one, Package)} == set(WRITERS)


@pytest.mark.parametrize("compressor", [same, *COMPRESSORS.values()], ids=["none", *COMPRESSORS])
@pytest.mark.parametrize("name", WRITERS)
def test_the_only_image_of_a_package_is_read(name: str, compressor: Callable[[bytes], bytes]) -> None:
    data = WRITERS[name](FILES, compressor)
    found = unwrap(data, "ovmf")
    assert (found.data, found.layers, found.path) == (whole_image(), (name,), "usr/share/OVMF/OVMF.fd")
    assert found.note("ovmf") == f"ovmf: read as {name}, usr/share/OVMF/OVMF.fd, {len(whole_image())} bytes"


@pytest.mark.parametrize("name", WRITERS)
def test_the_files_of_a_package_are_listed_with_sizes_and_links(name: str) -> None:
    one = formats()[name]
    assert isinstance(one, Package)
    members = [(m.path, m.size, m.link) for m in one.members(WRITERS[name](FILES, same), plain) if m.size or m.link]
    assert members == [(file.path, len(file.contents), file.link) for file in FILES]


@pytest.mark.parametrize("wanted", ["usr/share/OVMF/OVMF.fd", "/usr/share/OVMF/OVMF.fd", "./usr/share/OVMF/./OVMF.fd",
    "usr/share/OVMF/link.fd", "usr/share/qemu/up.fd", "usr/share/qemu/root.fd"])  # fmt: skip
@pytest.mark.parametrize("name", WRITERS)
def test_a_file_is_named_by_its_path_and_links_are_followed_in_the_package(name: str, wanted: str) -> None:
    found = unwrap(WRITERS[name]((*FILES, File("other.fd", bare_image()))), "ovmf", wanted)
    assert (found.data, found.path) == (whole_image(), "usr/share/OVMF/OVMF.fd")


@pytest.mark.parametrize("name", WRITERS)
def test_links_that_lead_nowhere_are_refused(name: str) -> None:
    files = (*FILES, File("out.fd", link="../../../etc/passwd"))
    with pytest.raises(LdcatError, match="more than 8 steps"):
        unwrap(WRITERS[name](files), "ovmf", "usr/share/loop.fd")
    with pytest.raises(LdcatError, match="unknown file in ovmf 'etc/passwd'"):
        unwrap(WRITERS[name](files), "ovmf", "out.fd")


@pytest.mark.parametrize("name", WRITERS)
def test_a_package_of_too_many_files_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_archive if name == "Debian package" else rpm_format, "MAX_MEMBERS", 4)
    with pytest.raises(MalformedFirmware, match="more than 4 files"):
        unwrap(WRITERS[name](FILES), "ovmf")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"!<arch>\ndebian-binary   ", "no data.tar"),
        (deb(()).replace(b"data.tar ", b"date.tar "), "no data.tar"),
        (deb((), lambda _: b"\x5d\0\0\x80\0 lzma"), "archive of files is damaged"),
        (rpm((), archive=cpio(FILES, b"07070X")), "07070X"),
        (rpm((), archive=cpio(FILES, b"070707")), "damaged, or compressed in a way that is not read"),
        (rpm((), archive=b""), "damaged"),
        (rpm((), archive=cpio(FILES)[:300]), "damaged"),
        (rpm((), archive=cpio(FILES).replace(b"070701", b"07070100zz", 1)), "damaged"),
        (rpm(FILES)[:90], "a header of it is damaged"),
        (rpm(FILES).replace(b"\x8e\xad\xe8", b"\x8e\xad\xe9"), "a header of it is damaged"),
    ],
)
def test_a_broken_package_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(MalformedFirmware, match=why):
        unwrap(data, "ovmf")


@pytest.mark.parametrize("name", WRITERS)
@given(data=st.data())
def test_a_damaged_package_is_read_or_refused(name: str, data: st.DataObject) -> None:
    package = bytearray(WRITERS[name]((File("a/x.fd", whole_image()), File("b", link="a/x.fd")), same))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 900) | st.integers(len(package) - 1500, len(package) - 1))
        package[at] = data.draw(st.integers(0, 255))
    cut = bytes(package[: data.draw(st.integers(0, len(package)) | st.just(len(package)))])
    try:
        found = unwrap(cut, "ovmf", data.draw(st.sampled_from([None, "b", "a/x.fd"])))
    except LdcatError:
        return
    assert len(found.data) <= container.MAX_UNPACKED
