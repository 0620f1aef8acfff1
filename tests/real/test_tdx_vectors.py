"""MRTDs on which two tools named tdx-measure, gce-tcb-verifier and this project agree, in both page orders."""

from __future__ import annotations

import json
import lzma
from typing import Any

import pytest

from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.tdx.tdx_facts import MACHINES, SINGLE_PASS, TWO_PASS, TdxFacts
from tests.real.shared import SHARED

VECTORS: list[dict[str, Any]] = json.loads((SHARED / "vectors" / "tdx.json").read_text())["vectors"]
ZEROS_BEFORE = "prefix_zero_bytes"


def image(name: str) -> bytes:
    return lzma.decompress((SHARED / "firmware" / f"{name}.xz").read_bytes())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda one: one["image"])
def test_digests_and_sections(vector: dict[str, Any]) -> None:
    data = image(vector["image"])
    found = TdxFacts.of(OvmfImage.parse(data))
    sections = [(one.name, one.data_offset, one.raw_size, one.gpa, one.size, one.attributes) for one in found.sections]
    assert sections == [tuple(one.values()) for one in vector["sections"]]
    assert {found.mrtd[SINGLE_PASS].hex()} == set(vector["mrtd_single_pass"].values())
    assert {found.mrtd[TWO_PASS].hex()} == set(vector["mrtd_two_pass"].values())
    combined = TdxFacts.of(OvmfImage.parse(bytes(vector[ZEROS_BEFORE]) + data))
    assert {machine: combined.mrtd[machine].hex() for machine in MACHINES} == vector["gce_tdhob_bug"]
    assert {way: combined.mrtd[way] for way in found.mrtd} == found.mrtd


def test_images_without_tdvf_metadata_say_so() -> None:
    for name in ("bullseye_ovmf_OVMF.fd", "bullseye_ovmf_OVMF_CODE_4M.fd", "bookworm_ovmf_OVMF_CODE_4M.fd"):
        assert TdxFacts.of(OvmfImage.parse(image(name))).fault == "the image has no TDVF metadata"
