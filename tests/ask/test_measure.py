"""Measure: digests from names, hashes and files, one by one and in batches."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from catalog.ask.measure import Measured, Workbench
from catalog.ask.measure_request import MAX_LINE, Request, parse_request
from catalog.build.builder import BuildResult
from catalog.errors import CannotLaunch, LdcatError, UnknownName, UsageError
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import OvmfImage
from catalog.notes import Note
from catalog.spec import embedded
from catalog.spec.named_builds import build_of_file
from catalog.store.catalog import Catalog
from tests.support.samples import INITRD, KERNEL, whole_image

SNP: dict[str, Any] = {
    "technology": "sev-snp",
    "firmware": "sid/ovmf-amdsev/OVMF.amdsev.fd",
    "vmm": "qemu-kvm-init2",
    "vcpus": 2,
    "vcpu_type": "EPYC-Milan",
}


def digest(**fields: Any) -> str:
    return Workbench().measure(Request(**{**SNP, **fields})).digest.hex()


def test_a_build_by_name_and_by_hash_gives_the_same_digest() -> None:
    sha256 = "3e4fd0b3fe3b2dbe481c3d9e99418a034174f26cbe1f55aa212b0f18c12d2d6f"
    assert digest() == digest(firmware=sha256) == digest(firmware=sha256.upper(), firmware_sha256=sha256)


def test_equivalent_requests_give_the_same_digest() -> None:
    same = {
        digest(),
        digest(vcpu_type=None, vcpu_signature="0xa00f11"),
        digest(vcpu_type=None, vcpu_signature=0xA00F11),
        digest(vcpu_signature="0x00a00f11", sev_features="0x1"),
        digest(vcpu_type="EPYC-Milan-v2", sev_features=1),
    }
    assert len(same) == 1
    assert digest(sev_features=0x21) not in same


def test_kernels_by_file_by_hash_and_by_name(inputs: Path) -> None:
    kernel, initrd = hashlib.sha256(KERNEL).hexdigest(), hashlib.sha256(INITRD).hexdigest()
    by_file = digest(kernel=str(inputs / "vmlinuz"), initrd=str(inputs / "initrd.img"), append="quiet")
    by_hash = digest(kernel_sha256=kernel, initrd_sha256=initrd, append="quiet")
    cmdline = hashlib.sha256(b"quiet\0").hexdigest()
    assert (
        by_file
        == by_hash
        == digest(kernel="a label", kernel_sha256=kernel, initrd_sha256=initrd, cmdline_sha256=cmdline)
    )
    assert digest(kernel_sha256=kernel) == digest(kernel_sha256=kernel, append="")
    assert digest(kernel_sha256=kernel, append="quiet") != digest(kernel_sha256=kernel, append="quiet ")
    named = digest(kernel_hashes="debian-12-installer-text")
    assert named == digest(
        kernel_sha256="d8808aa4ca188560da1e6d749dcb930c87a5fd8b11ebff1f3fa6d728af35203d",
        initrd_sha256="cb24a28a5ba13dfb22e6e75bdd8ab997dbdee6e3ec6c1102f6c7f93044bd817d",
        append="console=ttyS0 --- quiet",
    )


SHA256 = "00" * 32
NAMED = "debian-12-installer-text"


@pytest.mark.parametrize(
    ("fields", "append"),
    [
        ({}, None),
        ({"kernel_sha256": SHA256}, ""),
        ({"kernel_sha256": SHA256, "append": ""}, ""),
        ({"kernel_sha256": SHA256, "cmdline_sha256": hashlib.sha256(b"\0").hexdigest()}, ""),
        ({"kernel_sha256": SHA256, "cmdline_sha256": SHA256}, None),
        ({"kernel_sha256": SHA256, "append": "quiet \n"}, "quiet \n"),
        ({"kernel_sha256": SHA256, "append": "\u00e9\U0001f600"}, "\u00e9\U0001f600"),
        ({"kernel_sha256": SHA256, "append": "\udcff"}, None),
        ({"kernel_hashes": NAMED}, "console=ttyS0 --- quiet"),
        ({"kernel_hashes": f"data/kernel_hashes/{NAMED}.toml"}, "console=ttyS0 --- quiet"),
    ],
)
def test_the_answer_has_the_command_line_and_is_a_request(fields: dict[str, Any], append: str | None) -> None:
    """A command line that is not UTF-8 is known by its hash alone: JSON cannot have it."""
    measured = Workbench().measure(Request(**{**SNP, **fields}))
    record = measured.to_dict()
    assert record["append"] == append
    assert Workbench().measure(parse_request(json.dumps(record).encode())).digest == measured.digest


def test_ignored_fields_are_named() -> None:
    sev = Workbench().measure(Request(technology="sev", firmware=SNP["firmware"], vcpus=4, vcpu_type="EPYC"))
    assert sev.ignored == ("vcpus", "vCPU type")
    ec2 = Workbench().measure(Request(**{**SNP, "vmm": "ec2-2026"}))
    assert ec2.ignored == ("vCPU type",)
    assert ec2.digest.hex() == digest(vmm="ec2-2026", vcpu_type=None)


def test_warnings_of_a_measurement() -> None:
    generic = {**SNP, "firmware": "sid/ovmf-generic/OVMF_CODE_4M.fd", "kernel_hashes": "debian-12-installer-text"}
    first, second = Workbench().measure(Request(**generic)).warnings()
    assert (first.code, first.severity) == ("launch-not-expected", "danger")
    assert "is not expected to launch under sev-snp" in first.text
    assert second.code == "kernel-hashes-not-enforced"
    assert "does not enforce kernel hashes" in second.text
    assert Workbench().measure(Request(**SNP)).warnings() == []


@pytest.mark.parametrize(
    ("fields", "error", "part"),
    [
        ({"technology": "snp"}, UnknownName, "unknown technology 'snp'"),
        ({"firmware": "sid/OVMF.fd"}, UnknownName, "unknown build or firmware file"),
        ({"firmware": "./nowhere.fd"}, LdcatError, "nowhere.fd"),
        ({"firmware": "x" * 5000}, UnknownName, "unknown build"),
        ({"firmware": "a\0b"}, UnknownName, "unknown build"),
        ({"firmware_sha256": "00"}, UsageError, "not the firmware_sha256 given"),
        ({"vmm": "qemu"}, UnknownName, "unknown VMM profile 'qemu'"),
        ({"vmm": None}, UsageError, "depends on the VMM"),
        ({"vcpus": None}, UsageError, "no number of vCPUs"),
        ({"vcpus": 0}, UsageError, "cannot have 0 vCPUs"),
        ({"vcpus": -3}, UsageError, "cannot have -3 vCPUs"),
        ({"vcpus": 4097}, UsageError, "cannot have 4097 vCPUs"),
        ({"vcpu_type": "EPYC-Naples"}, UnknownName, "unknown vCPU type"),
        ({"vcpu_type": None}, UsageError, "measures the vCPU signature"),
        ({"vcpu_signature": 1}, UsageError, "has the vCPU signature"),
        ({"vcpu_type": None, "vcpu_signature": 1 << 32}, UsageError, "not a 32-bit number"),
        ({"sev_features": 0}, CannotLaunch, "lacks bit 0"),
        ({"sev_features": 1 << 64}, UsageError, "not a 64-bit number"),
        ({"sev_features": "one"}, UsageError, "not a number"),
        ({"technology": "sev-es", "sev_features": 1}, CannotLaunch, "SNPActive"),
        ({"technology": "sev-es", "vmm": "gce-v1", "vcpu_type": None}, CannotLaunch, "does not launch sev-es"),
        ({"vmm": "qemu-amdese-2022"}, CannotLaunch, "does not know metadata sections of type SVSM_CAA"),
        ({"firmware": "bookworm/ovmf/OVMF_CODE_4M.fd"}, CannotLaunch, "no SEV metadata"),
        ({"firmware": "sid/ovmf-inteltdx/OVMF.inteltdx.ms.fd"}, CannotLaunch, "has no size"),
        ({"firmware": "trixie/ovmf/OVMF.fd", "kernel_sha256": "00" * 32}, CannotLaunch, "no kernel hashes area"),
        ({"kernel_sha256": "00"}, LdcatError, "kernel_sha256"),
        ({"kernel": "/nowhere"}, LdcatError, "/nowhere"),
        ({"initrd_sha256": "00" * 32}, UsageError, "only measured with a kernel"),
        ({"append": "quiet"}, UsageError, "only measured with a kernel"),
        ({"kernel_hashes": "nothing"}, UnknownName, "unknown kernel hashes table"),
        ({"kernel_hashes": "debian-12-installer-text", "append": "x"}, UsageError, "give it alone"),
        ({"kernel_hashes": "debian-12-installer-text", "cmdline_sha256": "0"}, UsageError, "give it alone"),
        ({"kernel": ""}, UsageError, "kernel is an empty path"),
        ({"kernel_sha256": "00" * 32, "append": "a\0b"}, LdcatError, "contains a NUL byte"),
        ({"kernel_sha256": "00" * 32, "append": "a", "cmdline_sha256": "00" * 32}, UsageError, "cmdline_sha256"),
    ],
)
def test_requests_that_cannot_be_measured_are_refused(
    fields: dict[str, Any], error: type[LdcatError], part: str
) -> None:
    with pytest.raises(error) as caught:
        digest(**fields)
    assert part in str(caught.value)


def test_sev_es_with_an_image_whose_reset_vector_is_zero() -> None:
    with pytest.raises(CannotLaunch, match="reset address is zero"):
        digest(technology="sev-es", vmm="qemu-kvm-legacy", firmware="bullseye/ovmf/OVMF_CODE_4M.fd")


def line(**fields: Any) -> dict[str, Any]:
    return Workbench().measure_line(json.dumps({**SNP, **fields}).encode())


def test_a_line_is_returned_with_its_digest() -> None:
    answer = line(source="somewhere", id=[1, {"x": None}], note="mine", launch_digest="wrong", kernel=None)
    added = ["launch_digest", "launchable", "kernel_hashes_enforced", "notes"]
    assert list(answer) == [*SNP, "source", "id", "note", "kernel", *added]
    assert answer["launch_digest"] == digest()
    assert answer["id"] == [1, {"x": None}]
    no_kernel = "no kernel hashes were measured: the host chose what the firmware boots"
    assert [answer[name] for name in added[1:]] == [
        "yes",
        "yes",
        [Note("digest-covers-no-kernel", no_kernel).to_dict()],
    ]


def test_an_answer_is_a_valid_request() -> None:
    answer = line()
    assert Workbench().measure_line(json.dumps(answer).encode()) == answer
    wrong = line(vcpus=0)
    assert Workbench().measure_line(json.dumps({"line": 1, **wrong, "vcpus": 2}).encode()) == answer


def test_an_answer_line_has_the_warnings() -> None:
    answer = line(firmware="sid/ovmf-generic/OVMF.fd", kernel_hashes="debian-12-installer-text")
    assert answer["kernel_hashes_enforced"] == "no"
    assert any("does not enforce kernel hashes" in note["text"] for note in answer["notes"])


def test_a_line_in_error_has_no_digest() -> None:
    answer = line(vcpus=0, launch_digest="of something else")
    assert answer["error"] == "a guest cannot have 0 vCPUs"
    assert answer["hint"] == "give a number from 1 to 4096"
    assert "launch_digest" not in answer


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (b"garbage", "not JSON: "),
        (b"\xff\xfe", "not JSON: "),
        (b"[1]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}", "missing required field"),
        (b'{"technology": 1}', "$.technology"),
        (b'{"technology": "sev", "firmware": "x", "vcpu": 1}', "unknown field `vcpu`"),
        (b'{"technology": "sev", "firmware": "x", "vcpus": "many"}', "$.vcpus"),
        (b'{"technology": "sev", "firmware": "x", "vcpus": true}', "$.vcpus"),
        (b'{"technology": "sev", "firmware": "x", "vcpus": 1e400}', "error"),
        (b"[" * 100_000, "not JSON: "),
        (b"x" * (MAX_LINE + 1), "the line has more than"),
    ],
)
def test_an_invalid_line_gives_an_error_line(text: bytes, part: str) -> None:
    answer = Workbench().measure_line(text)
    assert "launch_digest" not in answer
    assert part in json.dumps(answer)


def test_an_image_of_a_known_build_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = whole_image()
    (tmp_path / "mine.fd").write_bytes(image)
    component = FirmwareComponent.from_image(OvmfImage.parse(image))
    recorded = replace(embedded.builds()["sid/ovmf-generic/OVMF_CODE_4M.fd"], component=component)
    monkeypatch.setattr(embedded, "builds", lambda: {"recorded": recorded})
    measured = Workbench().measure(Request(**{**SNP, "firmware": str(tmp_path / "mine.fd")}))
    assert isinstance(measured, Measured)
    assert (measured.build.name, measured.launchable.verdict) == (recorded.name, "no")


def test_a_build_name_that_is_also_a_different_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "sid/ovmf-amdsev/OVMF.amdsev.fd"
    path.parent.mkdir(parents=True)
    path.write_bytes(whole_image())
    with pytest.raises(UsageError, match="a file here with other contents"):
        digest()
    assert digest(firmware=f"./{SNP['firmware']}") == digest(firmware=str(path))


def test_builds_of_a_catalog_and_records_need_no_image(small: BuildResult, tmp_path: Path) -> None:
    builds = Catalog.open(small.folder).builds
    request = Request(**{**SNP, "firmware": "whole.fd"})
    from_catalog = Workbench(builds).measure(request).digest
    (tmp_path / "whole.toml").write_text(builds["whole.fd"].to_toml())
    from_record = Workbench().measure(Request(**{**SNP, "firmware": str(tmp_path / "whole.toml")})).digest
    (tmp_path / "whole.fd").write_bytes(whole_image())
    from_image = Workbench().measure(Request(**{**SNP, "firmware": str(tmp_path / "whole.fd")})).digest
    assert from_catalog == from_record == from_image


def test_a_result_has_all_inputs() -> None:
    record = Workbench().measure(Request(**SNP, kernel_hashes="debian-12-installer-text")).to_dict()
    again = {name: value for name, value in record.items() if name != "notes"}
    assert Workbench().measure(msgspec.convert(again, Request)).digest.hex() == record["launch_digest"]


def test_a_record_that_contradicts_an_embedded_one_is_refused(tmp_path: Path) -> None:
    record = embedded.builds()["sid/ovmf-amdsev/OVMF.amdsev.fd"].to_toml().replace("0x80b004", "0x80b008")
    (tmp_path / "other.toml").write_text(record)
    with pytest.raises(LdcatError, match="contradicts"):
        digest(firmware=str(tmp_path / "other.toml"))


def test_records_are_measured_with_their_own_facts(inputs: Path, tmp_path: Path) -> None:
    record = build_of_file(inputs / "whole.fd").to_toml()
    (tmp_path / "other.toml").write_text(record.replace("0x80b004", "0x80b008"))
    bench = Workbench()
    files = [str(inputs / "whole.fd"), str(tmp_path / "other.toml")]
    first, second = [bench.measure(Request(**{**SNP, "firmware": file})).digest for file in files]
    assert first != second


def test_the_depth_of_an_id_is_limited() -> None:
    nested = b'{"technology": "sev", "firmware": "x", "id": ' + b"[" * 900 + b"]" * 900 + b"}"
    assert "nested more than" in Workbench().measure_line(nested)["error"]
