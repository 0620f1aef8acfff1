"""Published images, wrapped: the same component from qcow2, vmdk, packages and compressed files."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.firmware.image_notes import image_notes
from catalog.firmware.machine import X86_64, machine_of
from catalog.firmware.ovmf import OvmfImage
from catalog.spec.named_builds import build_of_file
from tests.real.shared import FIRMWARE_INDEX, SHARED
from tests.support.container_writers import COMPRESSORS, File, Qcow2, Vmdk, deb, qcow2, rpm, vmdk

ENTRIES = json.loads(FIRMWARE_INDEX.read_text(encoding="utf-8")) if FIRMWARE_INDEX.exists() else []
FORMS: dict[str, Callable[[bytes], bytes]] = {
    "qcow2 4 KiB": lambda raw: qcow2(raw, Qcow2(cluster_bits=12)),
    "qcow2 64 KiB": lambda raw: qcow2(raw, Qcow2(cluster_bits=16)),
    "qcow2 deflate": lambda raw: qcow2(raw, Qcow2(cluster_bits=16, compression="deflate")),
    "qcow2 zstd": lambda raw: qcow2(raw, Qcow2(cluster_bits=12, compression="zstd")),
    "vmdk": vmdk,
    "vmdk stream": lambda raw: vmdk(raw, Vmdk(kind="streamOptimized")),
    "deb": lambda raw: deb([File("usr/share/OVMF/OVMF.fd", raw), File("usr/share/OVMF/VARS.fd", bytes(8192))]),
    "rpm": lambda raw: rpm([File("usr/share/edk2/ovmf/OVMF.qcow2", qcow2(raw))]),
    **COMPRESSORS,
}


def image(entry: dict[str, str]) -> bytes:
    return lzma.decompress((SHARED / "firmware" / entry["file"]).read_bytes())


@pytest.mark.parametrize("form", FORMS)
def test_a_known_image_is_known_in_every_form(form: str, tmp_path: Path) -> None:
    entry = ENTRIES[0]
    (tmp_path / "wrapped").write_bytes(FORMS[form](image(entry)))
    build = build_of_file(tmp_path / "wrapped")
    assert (build.name, build.component.key.hex()) == (entry["key"], entry["sha256"])
    assert "read as" in build.notes[0].text


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["key"])
def test_every_published_image_is_for_x86_64_and_has_no_note_but_its_size(entry: dict[str, str]) -> None:
    data = image(entry)
    assert machine_of(data) == X86_64
    notes = [note.code for note in image_notes(OvmfImage.parse(data), "x")]
    assert notes == ([] if len(data) % (64 << 10) == 0 else ["image-needs-flash"])
