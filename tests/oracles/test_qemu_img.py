"""Against qemu-img: what it writes is read, and what it reads of our files is the raw image."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from catalog.containers.unwrap import unwrap
from catalog.errors import MalformedFirmware
from tests.support.container_writers import Qcow2, Vmdk, qcow2, vmdk
from tests.support.samples import whole_image

RAW = whole_image()[:8192] + bytes(1 << 17) + whole_image()
QEMU_IMG = shutil.which("qemu-img")

pytestmark = pytest.mark.skipif(QEMU_IMG is None, reason="needs qemu-img of qemu-utils")


def qemu_img(*arguments: str | Path) -> None:
    assert QEMU_IMG
    subprocess.run([QEMU_IMG, *arguments], check=True, capture_output=True)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    (tmp_path / "raw.fd").write_bytes(RAW)
    return tmp_path / "raw.fd"


@pytest.mark.parametrize("kind", ["deflate", "zstd", None])
@pytest.mark.parametrize("size", ["512", "4k", "64k", "2M"])
def test_qcow2_of_qemu_img_is_read(size: str, kind: str | None, raw: Path, tmp_path: Path) -> None:
    how = f"cluster_size={size}" + (",compression_type=zstd" if kind == "zstd" else "")
    qemu_img("convert", *(["-c"] if kind else []), "-f", "raw", "-O", "qcow2", "-o", how, raw, tmp_path / "x")
    assert unwrap((tmp_path / "x").read_bytes(), "x").data == RAW


@pytest.mark.parametrize("kind", ["monolithicSparse", "streamOptimized"])
def test_vmdk_of_qemu_img_is_read(kind: str, raw: Path, tmp_path: Path) -> None:
    qemu_img("convert", "-f", "raw", "-O", "vmdk", "-o", f"subformat={kind}", raw, tmp_path / "x")
    assert unwrap((tmp_path / "x").read_bytes(), "x").data == RAW


@pytest.mark.parametrize(
    ("form", "options", "why"),
    [
        ("qcow2", "extended_l2=on", "extended L2"),
        ("qcow2", "data_file=other", "another file"),
        ("vmdk", "subformat=twoGbMaxExtentSparse", "one extent of several"),
    ],
)
def test_what_needs_more_is_refused(form: str, options: str, why: str, tmp_path: Path) -> None:
    place = tmp_path / "x.img"
    with_data = options.replace("=other", f"={tmp_path}/other")
    qemu_img("create", "-f", form, "-o", with_data, place, "1M")
    if "Extent" in options:
        place = tmp_path / "x-s001.img"
    with pytest.raises(MalformedFirmware, match=why):
        unwrap(place.read_bytes(), "x")


@pytest.mark.parametrize("bits", [9, 12, 16])
@pytest.mark.parametrize("compression", [None, "deflate", "zstd"])
def test_qemu_img_reads_what_the_tests_write(bits: int, compression: str | None, tmp_path: Path) -> None:
    (tmp_path / "q").write_bytes(qcow2(RAW, Qcow2(cluster_bits=bits, compression=compression)))
    qemu_img("convert", "-f", "qcow2", "-O", "raw", tmp_path / "q", tmp_path / "raw")
    assert (tmp_path / "raw").read_bytes() == RAW


@pytest.mark.parametrize("kind", ["monolithicSparse", "streamOptimized"])
def test_qemu_img_reads_the_vmdk_that_the_tests_write(kind: str, tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(vmdk(RAW, Vmdk(kind=kind)))
    qemu_img("convert", "-f", "vmdk", "-O", "raw", tmp_path / "v", tmp_path / "raw")
    assert (tmp_path / "raw").read_bytes() == RAW
