"""The vectors in the test suites of other projects, by kind."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.launch_measure import MeasureContext, launch_measurement
from catalog.abi.page_info import INITIAL_DIGEST, PageType, fold_pages
from catalog.abi.report import AttestationReport
from catalog.abi.vcpu import VcpuSignature
from catalog.errors import CannotLaunch
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.metadata import Section
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.point import FirmwarePoint, Point, VcpuPoint
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import Measurer, Technology, measure, technologies
from tests.real.shared import FIXTURES, PEER_VECTORS
from tests.support.firmware_builder import build_ovmf
from tests.support.profiles import PROFILES

MODES = {"sev": "sev", "seves": "sev-es", "snp": "sev-snp"}

COUNTS = {
    "launch_digest": 37,
    "expect_error": 4,
    "ovmf_hash": 3,
    "vcpu_sig": 3,
    "vmsa_page": 2,
    "page_fold": 1,
    "launch_measure": 1,
    "report": 2,
}

Inputs = dict[str, Any]


def vectors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(PEER_VECTORS.read_text(encoding="utf-8"))["vectors"]
    return found


def of_kind(kind: str) -> Iterable[Any]:
    """A pytest parameter for each vector of a kind, with its id."""
    assert COUNTS[kind]
    return [pytest.param(v["inputs"], v["expected"], id=v["id"]) for v in vectors() if v["kind"] == kind]


def file_sha256(blob: str) -> bytes:
    """Hash of a kernel or initrd as vectors write it: empty, or its contents in hex."""
    contents = b"" if blob == "empty-file" else bytes.fromhex(blob.removeprefix("hex:"))
    return hashlib.sha256(contents).digest()


def kernel_hashes(inputs: Inputs) -> KernelHashes | None:
    if inputs["kernel"] is None:
        return None
    initrd = file_sha256(inputs["initrd"]) if inputs["initrd"] else None
    return KernelHashes.of(kernel=file_sha256(inputs["kernel"]), initrd=initrd, append=inputs["cmdline"])


def profile(inputs: Inputs) -> VmmProfile:
    if inputs.get("page_order") == "hashes-first":
        assert inputs["vmsa_profile"] == "qemu-kvm-legacy"  # the same registers, but another order of pages
        return PROFILES["qemu-amdese-2022"]
    return PROFILES[inputs.get("vmsa_profile", "qemu-kvm-init2")]


def point(technology: Technology, inputs: Inputs, hashes: KernelHashes | None) -> Point:
    if technology.point_type is FirmwarePoint:
        return FirmwarePoint(hashes)
    vmm = profile(inputs)
    signature = VcpuSignature(inputs["vcpu_sig"]) if vmm.measures_signature else None
    features = inputs.get("guest_features", technology.default_sev_features)
    assert isinstance(features, int)
    return VcpuPoint(hashes, vmm, signature, features, inputs["vcpus"])


def component(inputs: Inputs) -> FirmwareComponent:
    """From the image, or from facts only; an ovmf_hash replaces the pages of the image."""
    if inputs["firmware"] is None:
        sections = tuple(Section(int(gpa, 16), int(size, 16), kind) for gpa, size, kind in inputs["metadata"])
        data = build_ovmf(sections=sections, reset_vector=int(inputs["ap_reset_eip"], 16))
    else:
        data = (FIXTURES / inputs["firmware"]).read_bytes()
    firmware = FirmwareComponent.from_image(OvmfImage.parse(data))
    if "ovmf_hash" in inputs:
        return replace(firmware, snp_baseline=bytes.fromhex(inputs["ovmf_hash"]))
    return firmware


def test_every_kind_of_vector_is_run() -> None:
    assert Counter(vector["kind"] for vector in vectors()) == COUNTS
    assert len({vector["id"] for vector in vectors()}) == sum(COUNTS.values()) == 53


@pytest.mark.parametrize(("inputs", "expected"), of_kind("launch_digest"))
def test_launch_digest(inputs: Inputs, expected: str) -> None:
    technology = technologies()[MODES[inputs["mode"]]]
    firmware, hashes = component(inputs), kernel_hashes(inputs)
    if inputs.get("strict_kernel_section") is False:
        # sev-snp-measure 0.0.5 silently omitted a kernel: refused here, and its digest is that without a kernel
        with pytest.raises(CannotLaunch, match="no kernel hashes section, so the kernel would not be measured"):
            measure(technology, firmware, point(technology, inputs, hashes))
        hashes = None
    configuration = point(technology, inputs, hashes)
    assert measure(technology, firmware, configuration).hex() == expected
    assert Measurer(technology, firmware).measure(configuration).hex() == expected


@pytest.mark.parametrize(("inputs", "expected"), of_kind("expect_error"))
def test_expect_error(inputs: Inputs, expected: dict[str, str]) -> None:
    assert expected == {"error_class": "kernel-hashes-unsupported-by-firmware"}
    technology = technologies()[MODES[inputs["mode"]]]
    with pytest.raises(CannotLaunch, match="so the kernel would not be measured"):
        measure(technology, component(inputs), point(technology, inputs, kernel_hashes(inputs)))
    assert measure(technology, component(inputs), point(technology, inputs, None))


@pytest.mark.parametrize(("inputs", "expected"), of_kind("ovmf_hash"))
def test_ovmf_hash(inputs: Inputs, expected: str) -> None:
    assert component(inputs).snp_baseline.hex() == expected


@pytest.mark.parametrize(("inputs", "expected"), of_kind("vcpu_sig"))
def test_vcpu_sig(inputs: Inputs, expected: str) -> None:
    assert VcpuSignature.of(**inputs).value == int(expected, 16)


@pytest.mark.parametrize(("inputs", "expected"), of_kind("vmsa_page"))
def test_vmsa_page(inputs: Inputs, expected: str) -> None:
    bsp = inputs["role"] == "bsp"
    signature = VcpuSignature(inputs["vcpu_sig"])
    page = profile(inputs).vmsa_page(int(inputs["eip"], 16), signature, inputs["guest_features"], bsp=bsp)
    assert hashlib.sha256(page).hexdigest() == expected
    assert page == (FIXTURES / f"sevctl_vmsa{0 if bsp else 1}.bin").read_bytes()


@pytest.mark.parametrize(("inputs", "expected"), of_kind("page_fold"))
def test_page_fold(inputs: Inputs, expected: str) -> None:
    data = bytearray(inputs["length"])
    for at, patch in inputs["patches"]:
        data[at : at + len(patch) // 2] = bytes.fromhex(patch)
    page_type, gpa = PageType[inputs["type"]], int(inputs["gpa"], 16)
    assert fold_pages(INITIAL_DIGEST, page_type, gpa, bytes(data)).hex() == expected


@pytest.mark.parametrize(("inputs", "expected"), of_kind("launch_measure"))
def test_launch_measure(inputs: Inputs, expected: str) -> None:
    launch = inputs["launch"]
    assert (launch["mode"], launch["kernel"]) == ("sev", None)
    digest = measure(technologies()["sev"], component(launch), FirmwarePoint(None))
    numbers = (inputs["api_major"], inputs["api_minor"], inputs["build_id"], inputs["policy"])
    nonce = bytes.fromhex(inputs["nonce"])
    measurement = launch_measurement((FIXTURES / inputs["tik"]).read_bytes(), MeasureContext(*numbers, nonce), digest)
    assert base64.b64encode(measurement + nonce).decode() == expected


@pytest.mark.parametrize(("inputs", "expected"), of_kind("report"))
def test_report(inputs: Inputs, expected: dict[str, Any]) -> None:
    assert inputs["offset"] == 0
    report = AttestationReport.parse((FIXTURES / inputs["file"]).read_bytes())
    fields = {**report.to_dict(), "author_key_en": int(report.key_info.author_key_enabled)}
    assert {**fields, "policy": fields["policy"]["value"]} | expected == {**fields, "policy": fields["policy"]["value"]}
