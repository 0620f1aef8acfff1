"""Wrapped images on the command line: the digest of the raw image with a note, or a refusal, in bounded memory."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.firmware.ovmf import MAX_IMAGE_SIZE
from tests.support.cli import Run
from tests.support.container_writers import COMPRESSORS, File, Qcow2, Vmdk, deb, qcow2, rpm, vmdk, zstd
from tests.support.samples import whole_image, write_spec

RAW = whole_image()
MEASURE = ("measure", "-t", "sev-snp", "--vmm", "ec2-2026", "--vcpus", "2")
WRAPPED = {
    "qcow2": qcow2(RAW, Qcow2(cluster_bits=12, compression="deflate")),
    "vmdk": vmdk(RAW, Vmdk(kind="streamOptimized")),
    "rpm": rpm([File("OVMF.fd", RAW)]),
    "deb": deb([File("OVMF.fd", RAW)]),
    **{name: compress(RAW) for name, compress in COMPRESSORS.items()},
}
PEAK = """
import resource, subprocess, sys
code = subprocess.run([sys.executable, "-m", "catalog", *sys.argv[1:]]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""Runs ldcat, and prints its peak of memory in KiB. The peak of a child begins with that of its small parent."""


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    (tmp_path / "raw.fd").write_bytes(RAW)
    return tmp_path / "raw.fd"


@pytest.mark.parametrize("name", WRAPPED)
def test_a_wrapped_image_has_the_digest_of_the_raw_one(name: str, raw: Path, tmp_path: Path, run: Run) -> None:
    wrapped = tmp_path / f"x.{name}"
    wrapped.write_bytes(WRAPPED[name])
    code, digest, err = run(*MEASURE, str(wrapped))
    assert (code, digest) == run(*MEASURE, str(raw))[:2]
    assert f"ldcat: note: {wrapped}: read as " in err
    record = json.loads(run(*MEASURE, str(wrapped), "-f", "json")[1])
    assert any(f"{wrapped}: read as " in note["text"] for note in record["notes"])


def test_inspect_says_what_it_unwrapped_and_shows_the_raw_image(raw: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "o.deb").write_bytes(WRAPPED["deb"])
    reference = f"{tmp_path}/o.deb:OVMF.fd"
    code, out, err = run("inspect", reference, "-f", "json")
    record = json.loads(out)
    assert code == 0
    assert record["sha256"] == json.loads(run("inspect", str(raw), "-f", "json")[1])["sha256"]
    texts = {note["code"]: note["text"] for note in record["notes"]}
    assert texts["image-unwrapped"] == f"{tmp_path}/o.deb: read as Debian package, OVMF.fd, {len(RAW)} bytes"
    assert all(text in err for text in texts.values())
    assert run("inspect", reference, "--quiet")[2] == ""


def test_build_audit_vmsa_and_explain_say_what_they_unwrapped(tmp_path: Path, run: Run) -> None:
    (tmp_path / "o.qcow2").write_bytes(WRAPPED["qcow2"])
    spec = write_spec(tmp_path, """
name = "wrapped"
firmware = { files = ["o.qcow2"] }
kernel_hashes = { tables = ["none"] }
technologies = { sev = {} }
""")  # fmt: skip
    image, catalog = str(tmp_path / "o.qcow2"), str(tmp_path / "catalog")
    note = f"{image}: read as qcow2, {len(RAW)} bytes"
    assert note in run("build", str(spec), "-o", catalog)[2]
    code, _, err = run("audit", catalog, "--firmware", image)
    assert code == 0
    assert note in err
    assert note in run("vmsa", "build", "--vmm", "ec2-2026", "--ap", "--firmware", image)[2]
    digest = run("measure", image, "-t", "sev")[1].strip()
    assert note in run("explain", digest, "--catalog", catalog, "--firmware", image)[2]


def test_a_refusal_names_the_format_and_how_to_unwrap_it(tmp_path: Path, run: Run) -> None:
    (tmp_path / "o.qcow2").write_bytes(qcow2(RAW, Qcow2(backing=512)))
    code, out, err = run(*MEASURE, str(tmp_path / "o.qcow2"))
    assert (code, out) == (3, "")
    assert "qcow2: it has a backing file" in err
    assert f"qemu-img convert -O raw {tmp_path}/o.qcow2 OVMF.fd" in err


def _filled(compress: Callable[[bytes], bytes]) -> bytes:
    """Zeros of 512 MiB, as 128 streams."""
    return compress(bytes(4 << 20)) * 128


LARGEST = [File("OVMF.fd", bytes(MAX_IMAGE_SIZE))]
BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: _filled(gzip.compress),
    "xz": lambda: _filled(lambda data: lzma.compress(data, preset=0)),
    "bzip2": lambda: _filled(bz2.compress),
    "zstd": lambda: _filled(zstd),
    "deb": lambda: deb(LARGEST, lambda tar: gzip.compress(tar[: 512 + MAX_IMAGE_SIZE], 1) * 6),  # without its end
    "rpm": lambda: rpm(LARGEST, lambda cpio: zstd(cpio[: cpio.rindex(b"070701")]) * 6),  # without its trailer
    "qcow2": lambda: qcow2(b"", Qcow2(size=MAX_IMAGE_SIZE, l1_size=1 << 16, cluster_bits=9)),
    "vmdk": lambda: vmdk(bytes(512), Vmdk(capacity=MAX_IMAGE_SIZE // 512, grain=8)),
}


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_stays_within_256_mib(name: str, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb"
    bomb.write_bytes(BOMBS[name]())
    ran = subprocess.run([sys.executable, "-c", PEAK, *MEASURE, str(bomb)], capture_output=True, text=True, check=False)
    assert ran.returncode == 3
    assert ran.stderr.startswith(f"ldcat: error: {bomb}: ")
    assert "Traceback" not in ran.stderr
    assert 0 < int(ran.stdout) < 256 << 10
