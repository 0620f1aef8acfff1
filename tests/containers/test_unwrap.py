"""Unwrapping: layer by layer to the raw image, with what it was read from, and an error that helps."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from catalog.containers import container
from catalog.containers.container import MAX_UNPACKED
from catalog.containers.unwrap import MAX_LAYERS, format_of, formats, unwrap
from catalog.errors import MalformedFirmware, UnknownName, UsageError
from catalog.firmware.ovmf import MAX_IMAGE_SIZE
from tests.support.container_writers import COMPRESSORS, File, Qcow2, deb, qcow2, rpm, same, vmdk
from tests.support.samples import bare_image, whole_image

RAW = whole_image()


def test_a_raw_image_is_left_as_it_is() -> None:
    found = unwrap(RAW, "OVMF.fd")
    assert (found.data, found.layers, found.note("OVMF.fd")) == (RAW, (), None)
    assert format_of(RAW) is None


def test_the_formats_are_the_files_of_their_folder() -> None:
    assert list(formats()) == ["Debian package", "RPM package", "bzip2", "gzip", "qcow2", "vmdk", "xz", "zstd"]
    assert all("FILE" in one.command for one in formats().values())


def test_layers_are_taken_off_from_the_outside() -> None:
    found = unwrap(gzip.compress(rpm([File("a/OVMF.qcow2.xz", COMPRESSORS["xz"](qcow2(RAW)))])), "ovmf.rpm.gz")
    assert found.data == RAW
    assert found.note("f") == f"f: read as qcow2 of xz of RPM package of gzip, a/OVMF.qcow2.xz, {len(RAW)} bytes"


def test_more_layers_than_anybody_needs_are_refused() -> None:
    data = RAW
    for _ in range(MAX_LAYERS):
        data = gzip.compress(data)
    assert unwrap(data, "x").data == RAW
    with pytest.raises(MalformedFirmware, match=f"more than {MAX_LAYERS} formats"):
        unwrap(gzip.compress(data), "x")


def test_several_images_of_a_package_are_listed_and_one_can_be_named() -> None:
    files = [File("b/OVMF.fd", RAW), File("a/OVMF.qcow2", qcow2(bare_image())), File("VARS.fd", bytes(4096))]
    with pytest.raises(UsageError, match=r"ovmf\.deb holds 2 firmware images") as raised:
        unwrap(deb(files), "ovmf.deb")
    assert raised.value.hint == "name one: ovmf.deb:a/OVMF.qcow2, ovmf.deb:b/OVMF.fd"
    assert unwrap(deb(files), "ovmf.deb", "a/OVMF.qcow2").data == bare_image()


def test_a_package_without_an_image_says_what_it_has() -> None:
    with pytest.raises(MalformedFirmware, match="holds no OVMF image") as raised:
        unwrap(deb([File("AAVMF.fd", b"arm" * 99), File("doc", b"x")]), "efi.deb")
    assert raised.value.hint == "it holds AAVMF.fd"
    with pytest.raises(MalformedFirmware) as raised:
        unwrap(deb([File("doc", b"x")]), "doc.deb")
    assert raised.value.hint == "it holds no file that is named like one"


def test_an_unknown_path_lists_near_ones() -> None:
    with pytest.raises(UnknownName, match=r"unknown file in ovmf\.deb 'usr/OVMF_CODE\.fd'") as raised:
        unwrap(deb([File("usr/OVMF.fd", RAW), File("doc", b"x")]), "ovmf.deb", "usr/OVMF_CODE.fd")
    assert raised.value.hint == "nearest: usr/OVMF.fd"


def test_a_path_in_a_file_that_is_no_package_is_refused() -> None:
    for data in (RAW, qcow2(RAW)):
        with pytest.raises(UsageError, match="x is no package"):
            unwrap(data, "x", "usr/OVMF.fd")


def test_an_error_names_the_format_and_the_command_that_unwraps_it() -> None:
    with pytest.raises(MalformedFirmware) as raised:
        unwrap(qcow2(RAW, Qcow2(incompatible=16)), "my disk.qcow2")
    assert str(raised.value) == "qcow2: it has extended L2 entries"
    assert raised.value.hint == "if it is sound, unwrap it: qemu-img convert -O raw FILE OVMF.fd"


@pytest.mark.parametrize("name", COMPRESSORS)
def test_a_file_that_unpacks_to_more_than_an_image_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = MAX_IMAGE_SIZE if name == "zstd" else 1 << 20  # the others take long to compress that much
    monkeypatch.setattr(container, "MAX_IMAGE_SIZE", limit)
    packed = COMPRESSORS[name](bytes(limit))
    assert len(unwrap(packed, "x").data) == limit
    with pytest.raises(MalformedFirmware, match=f"{name}: it unpacks to more than {limit >> 20} MiB"):
        unwrap(COMPRESSORS[name](bytes(limit + 1)), "x")


@pytest.mark.parametrize(
    ("kind", "count", "made"),
    [
        ("fd", MAX_UNPACKED // MAX_IMAGE_SIZE, lambda: bytes(MAX_IMAGE_SIZE)),
        ("gz", 5, lambda: gzip.compress(bytes(MAX_IMAGE_SIZE))),
        ("qcow2", 5, lambda: qcow2(bytes(9), Qcow2(size=MAX_IMAGE_SIZE, l1_size=9))),
    ],
    ids=["files", "compressed files", "disk images"],
)
def test_a_package_that_unpacks_to_too_much_is_refused(kind: str, count: int, made: Callable[[], bytes]) -> None:
    data = made()
    files = [File(f"{number}.{kind}", data) for number in range(count)]
    with pytest.raises(MalformedFirmware, match="Debian package: it unpacks to more than 256 MiB"):
        unwrap(deb(files, gzip.compress), "ovmf.deb")


def test_a_large_file_of_a_package_is_read_if_it_is_named() -> None:
    large = bytes(17 << 20)
    with pytest.raises(MalformedFirmware, match="holds no OVMF image"):
        unwrap(deb([File("large.fd", large)], same), "ovmf.deb")
    assert unwrap(deb([File("large.fd", large)], same), "ovmf.deb", "large.fd").data == large
    with pytest.raises(MalformedFirmware, match=r"large.fd has more than 64 MiB"):
        unwrap(deb([File("large.fd", bytes(MAX_IMAGE_SIZE + 1))], gzip.compress), "ovmf.deb", "large.fd")


def test_a_package_in_a_package_is_searched_too() -> None:
    inner = deb([File("usr/OVMF.fd", RAW)])
    assert unwrap(deb([File("inner.deb", inner)]), "o.deb", "inner.deb").path == "usr/OVMF.fd"


def test_a_vmdk_of_the_same_image_gives_the_same_bytes() -> None:
    assert unwrap(vmdk(RAW), "x").data == unwrap(qcow2(RAW), "x").data == RAW


def test_the_first_bytes_alone_are_refused() -> None:
    for one in formats().values():
        with pytest.raises(MalformedFirmware) as raised:
            unwrap(one.magic + b"9" * (one.name == "bzip2"), "x")
        assert raised.value.hint
