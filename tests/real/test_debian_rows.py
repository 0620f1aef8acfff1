"""1,283 launch digests of published Debian images, made by sev-snp-measure 0.0.9, 0.0.12 and 0.0.13.

Each is computed from the image itself and from its record in data/firmware/.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pytest

from catalog.abi import sha256, sha256_compression
from catalog.abi.digest import LaunchDigest
from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.known_tail import KnownTail, known_tails
from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.variable_store import Code, variable_store_size
from catalog.launch.point import FirmwarePoint, Point, VcpuPoint
from catalog.launch.technology import Measurer, Technology, measure, technologies
from catalog.launch.vcpu_types import VcpuTypes
from tests.real.shared import DEBIAN_ROWS, FIRMWARE_INDEX, SHARED
from tests.support.profiles import DATA, PROFILES

Row = dict[str, Any]
Components = Callable[[], Mapping[str, FirmwareComponent]]


@cache
def rows() -> list[Row]:
    return [json.loads(line) for line in DEBIAN_ROWS.read_text(encoding="utf-8").splitlines()]


@cache
def from_images() -> dict[str, FirmwareComponent]:
    components = {}
    for entry in json.loads(FIRMWARE_INDEX.read_text(encoding="utf-8")):
        data = lzma.decompress((SHARED / "firmware" / entry["file"]).read_bytes())
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]
        components[entry["key"]] = FirmwareComponent.from_image(OvmfImage.parse(data))
    return components


@cache
def from_records() -> dict[str, FirmwareComponent]:
    texts = (path.read_text(encoding="utf-8") for path in (DATA / "firmware").glob("*.toml"))
    return {build.name: build.image for build in map(FirmwareBuild.parse, texts)}


def kernel_hashes(row: Row) -> KernelHashes | None:
    if row["kernel_sha256"] is None:
        return None
    initrd = bytes.fromhex(row["initrd_sha256"]) if row["initrd_sha256"] else None
    hashes = KernelHashes.of(kernel=bytes.fromhex(row["kernel_sha256"]), initrd=initrd, append=row["append"])
    assert hashes.cmdline.hex() == row["cmdline_sha256"]
    return hashes


def point(technology: Technology, row: Row) -> Point:
    if technology.point_type is FirmwarePoint:
        return FirmwarePoint(kernel_hashes(row))
    assert technology.point_type is VcpuPoint
    signature = VcpuSignature(int(row["vcpu_signature"], 16)) if row["vcpu_signature"] else None
    features = int(row["sev_features"], 16) if row["sev_features"] else technology.default_sev_features
    assert features is not None
    return VcpuPoint(kernel_hashes(row), PROFILES[row["vmm"]], signature, features, row["vcpus"])


def test_all_rows_are_present() -> None:
    assert Counter(row["technology"] for row in rows()) == {"sev": 12, "sev-es": 417, "sev-snp": 854}
    assert len(rows()) == 1283
    profiles = {row["vmm"] for row in rows() if row["vmm"]}
    assert profiles == {"qemu-kvm-init2", "qemu-kvm-legacy", "ec2-2023", "ec2-2026", "gce-v1"}


@pytest.mark.parametrize("components", [from_images, from_records])
def test_every_row_is_measured(components: Components) -> None:
    measurers: dict[tuple[str, str], Measurer] = {}
    for row in rows():
        key = (row["technology"], row["firmware"])
        technology = technologies()[row["technology"]]
        if key not in measurers:
            measurers[key] = Measurer(technology, components()[row["firmware"]])
        digest = measurers[key].measure(point(technology, row))
        assert digest == LaunchDigest.parse(row["launch_digest"]), row


@pytest.mark.parametrize("components", [from_images, from_records])
def test_a_sample_is_measured_with_measure(components: Components) -> None:
    for row in rows()[::7]:
        technology = technologies()[row["technology"]]
        digest = measure(technology, components()[row["firmware"]], point(technology, row))
        assert digest.hex() == row["launch_digest"], row


def test_a_sample_is_measured_in_pure_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only SEV and SEV-ES resume SHA-256 midstates; one complete image is also reduced."""
    monkeypatch.setattr(sha256, "compress", sha256_compression.compress_in_python)
    few = [row for row in rows() if row["technology"] == "sev" or (row["technology"] == "sev-es" and row["vcpus"] <= 8)]
    sample = few[::4]
    assert {row["technology"] for row in sample} == {"sev", "sev-es"}
    for row in sample:
        technology = technologies()[row["technology"]]
        digest = measure(technology, from_records()[row["firmware"]], point(technology, row))
        assert digest.hex() == row["launch_digest"], row


def test_an_image_is_reduced_in_pure_python(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "bookworm/ovmf/OVMF_CODE.fd"
    compiled = from_images()[key]
    data = lzma.decompress((SHARED / "firmware" / "bookworm_ovmf_OVMF_CODE.fd.xz").read_bytes())
    monkeypatch.setattr(sha256, "compress", sha256_compression.compress_in_python)
    assert FirmwareComponent.from_image(OvmfImage.parse(data)) == compiled


def test_records_match_the_reduced_images() -> None:
    records = from_records()
    for key, component in from_images().items():
        assert records[key] == component, key


def test_the_linked_verifier_is_found_in_the_one_build_that_has_it() -> None:
    enforced = {key: component.kernel_hashes_enforced.value for key, component in from_images().items()}
    assert [key for key, answer in enforced.items() if answer == "yes"] == ["sid/ovmf-amdsev/OVMF.amdsev.fd"]
    assert set(enforced.values()) == {"yes", "no"}


@pytest.mark.parametrize(
    ("combined", "code"),
    [
        ("bullseye/ovmf/OVMF.fd", "bullseye/ovmf/OVMF_CODE.fd"),
        ("bookworm/ovmf/OVMF.fd", "bookworm/ovmf/OVMF_CODE.fd"),
        ("trixie/ovmf/OVMF.fd", "trixie/ovmf/OVMF_CODE_4M.fd"),
        ("sid/ovmf-generic/OVMF.fd", "sid/ovmf-generic/OVMF_CODE_4M.fd"),
    ],
)
def test_a_combined_image_with_another_variable_store_has_known_code(combined: str, code: str) -> None:
    builds = [FirmwareBuild(name, component, None, {}) for name, component in from_records().items()]
    size, sha256 = from_records()[code].size, from_records()[code].sha256
    assert size is not None
    assert sha256 is not None
    assert from_records()[combined].code == Code(size, sha256)
    image = bytearray(lzma.decompress((SHARED / "firmware" / f"{combined.replace('/', '_')}.xz").read_bytes()))
    image[0x100] ^= 1
    assert known_tails(bytes(image), builds) == [KnownTail(size, (code,), (combined,))]
    assert variable_store_size(bytes(image)) == len(image) - size


def test_the_amdsev_image_with_another_variable_store_has_known_code() -> None:
    """No package has a CODE image of it: its record has the hash of its code."""
    name = "sid/ovmf-amdsev/OVMF.amdsev.fd"
    builds = [FirmwareBuild(key, component, None, {}) for key, component in from_records().items()]
    image = bytearray(lzma.decompress((SHARED / "firmware" / f"{name.replace('/', '_')}.xz").read_bytes()))
    image[0x100] ^= 1
    assert known_tails(bytes(image), builds) == [KnownTail(3653632, (), (name,))]


def test_names_of_vcpu_types_in_the_rows_have_their_signatures() -> None:
    types = VcpuTypes.parse((DATA / "vcpu_types.toml").read_text(encoding="utf-8"))
    named = {(row["vcpu_type"], row["vcpu_signature"]) for row in rows() if row["vcpu_type"]}
    assert named
    for name, signature in named:
        assert str(types.signature(name)) == signature
