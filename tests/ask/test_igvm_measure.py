"""IGVM files measured by name, as the command line, a batch and Python do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import catalog
from catalog.abi.vmsa_layout import REGISTERS
from catalog.ask.igvm.igvm_measure import MeasuredIgvm
from catalog.ask.measure import Workbench, requested
from catalog.errors import CannotLaunch, LdcatError, MalformedFirmware, UnknownName, UsageError
from catalog.firmware.igvm.igvm_types import HeaderType, PlatformType
from catalog.spec import embedded
from tests.support.igvm_builder import area, context, id_block, igvm_bytes, page, parameter, platform, policy


def vmsa(features: int = 1) -> bytes:
    made = bytearray(4096)
    made[REGISTERS["sev_features"][0]] = features
    made[REGISTERS["efer"][0] + 1], made[REGISTERS["rflags"][0]] = 0x10, 2
    return bytes(made)


def written(path: Path, *headers: bytes, kind: int = PlatformType.SEV_SNP) -> str:
    """A file with a VMSA in its second page."""
    data = igvm_bytes(platform(kind), *headers, pages=3)
    path.write_bytes(data.replace(b"\2" * 4096, vmsa(int(kind == PlatformType.SEV_SNP))))
    return str(path)


def measured(name: str, technology: str = "sev-snp", **inputs: Any) -> MeasuredIgvm:
    found = Workbench().measure(requested(technology, name, inputs))
    assert isinstance(found, MeasuredIgvm)
    return found


@pytest.fixture
def usual(tmp_path: Path) -> str:
    return written(tmp_path / "usual.igvm", policy(), page(0x1000), context(number=2))


def with_id_block(path: Path, digest: str) -> str:
    return written(path, policy(), page(0x1000), context(number=2), id_block(bytes.fromhex(digest)))


def test_a_digest_depends_on_the_loader(usual: str) -> None:
    digests = {vmm: measured(usual, vmm=vmm, vcpus=1).digest.hex() for vmm in embedded.loaders()}
    assert len(set(digests.values())) == 3
    for alone in ("vanadium-igvm", "clh-kvm-igvm"):
        assert digests.pop(alone) not in digests.values()
    found = measured(usual, vmm="igvm-spec").to_dict()
    assert (found["firmware"], found["vmm"], found["vcpus"], found["policy"]) == (usual, "igvm-spec", None, "0x30000")
    assert (found["launch_digest"], found["sev_features"]) == (digests["igvm-spec"], "0x1")
    assert [note["code"] for note in found["notes"]] == ["loader-not-observed"]


def test_python_and_a_batch_measure_it(usual: str) -> None:
    asked = {"technology": "sev-snp", "firmware": usual, "vmm": "igvm-spec"}
    digest = catalog.measure(**asked).digest.hex()
    assert digest == measured(usual, vmm="igvm-spec").digest.hex()
    line = Workbench().measure_line(json.dumps({**asked, "id": 7}).encode())
    assert (line["launch_digest"], line["id"], line["launchable"]) == (digest, 7, "unknown")


def test_vcpus_and_their_type_count_where_the_loader_adds_vmsas(usual: str) -> None:
    request = requested("sev-snp", usual, {"vmm": "qemu-igvm", "vcpu_type": "EPYC-Milan"})
    one, two = Workbench().measure_counts(request, [1, 2])
    assert isinstance(one, MeasuredIgvm)
    assert isinstance(two, MeasuredIgvm)
    assert (one.vcpus, one.signature, two.vcpus, str(two.signature)) == (1, None, 2, "0x00a00f11")
    assert one.digest != two.digest
    assert one.ignored == two.ignored == ()
    features = "--sev-features, because those of the file are launched"
    assert measured(usual, vmm="qemu-igvm", vcpus=1, vcpu_type="EPYC", sev_features=5).ignored == (
        "vCPU type",
        features,
    )
    counts = Workbench().measure_counts(requested("sev-snp", usual, {"vmm": "igvm-spec"}), [1, 2, 3])
    assert len(counts) == 1
    assert measured(usual, vmm="qemu-igvm", vcpus=1, sev_features=1).ignored == ()  # those of the file
    ignored = measured(usual, vmm="igvm-spec", vcpus=2, vcpu_type="EPYC", sev_features=5)
    assert ignored.ignored == ("vcpus", "vCPU type", features)
    assert ignored.notes()[1].text == f"this digest does not depend on: vcpus, vCPU type, {features}"


def test_sev_and_sev_es(tmp_path: Path) -> None:
    sev = written(tmp_path / "sev.igvm", page(0x1000), kind=PlatformType.SEV)
    found = measured(sev, "sev", vmm="qemu-igvm")
    assert (len(found.digest.value), found.remarks()[0].code) == (32, "loader-not-observed")
    es = written(tmp_path / "es.igvm", page(0x1000), context(number=2), kind=PlatformType.SEV_ES)
    assert measured(es, "sev-es", vmm="qemu-igvm", vcpus=1).to_dict()["policy"] is None


def test_an_id_block_that_is_right_wrong_or_right_under_another_loader(tmp_path: Path, usual: str) -> None:
    right = measured(usual, vmm="igvm-spec").digest.hex()
    under = with_id_block(tmp_path / "right.igvm", right)
    assert measured(under, vmm="igvm-spec").remarks()[-1].code == "id-block-matches"
    assert measured(under, vmm="igvm-spec").warnings() == []
    elsewhere = measured(under, vmm="vanadium-igvm")
    assert [note.code for note in elsewhere.warnings()] == ["id-block-differs"]
    assert elsewhere.warnings()[0].text == (
        f"the ID block of the file expects {right[:16]}..., the digest under clh-mshv-igvm, coconut-igvm, hyperv-igvm, "
        "igvm-spec, qemu-11-igvm, qemu-igvm: under vanadium-igvm the secure processor refuses the launch"
    )
    wrong = measured(with_id_block(tmp_path / "wrong.igvm", "ab" * 48), vmm="qemu-igvm", vcpus=1)
    assert wrong.warnings()[0].text == (
        "the ID block of the file expects abababababababab..., the digest under no known loader: "
        "under qemu-igvm with --vcpus 1 the secure processor refuses the launch"
    )


def test_what_is_odd_about_the_file_is_told(tmp_path: Path) -> None:
    odd = written(tmp_path / "odd.igvm", page(0x1000), page(0x1000), context(number=2))
    assert [note.code for note in measured(odd, vmm="igvm-spec").warnings()] == ["igvm-pages-overlap"]


@pytest.mark.parametrize(
    ("technology", "inputs", "error", "why"),
    [
        ("sev-snp", {}, UsageError, "no VMM is given for"),
        ("sev-snp", {"vmm": "qemu-kvm-init2"}, UsageError, "qemu-kvm-init2 launches firmware images"),
        ("sev-snp", {"vmm": "qemu"}, UnknownName, "unknown loader of IGVM files"),
        ("sev-snp", {"vmm": "igvm-spec", "append": "quiet"}, UsageError, "--append is given"),
        ("sev-snp", {"vmm": "qemu-igvm"}, UsageError, "no number of vCPUs is given"),
        ("sev-snp", {"vmm": "qemu-igvm", "vcpus": 2}, UsageError, "measures the signature of vCPUs without a context"),
        ("sev-snp", {"vmm": "qemu-igvm", "vcpus": 5000}, UsageError, "5000 vCPUs"),
        ("sev-snp", {"vmm": "igvm-spec", "vcpus": -5}, UsageError, "-5 vCPUs"),
        ("sev-snp", {"vmm": "igvm-spec", "sev_features": "0xzz"}, LdcatError, "0xzz"),
        ("cca", {"vmm": "qemu-igvm"}, UnknownName, "cca"),
        ("sev", {"vmm": "qemu-igvm"}, CannotLaunch, "no platform for sev"),
        ("sev-snp", {"vmm": "igvm-spec", "firmware_sha256": "0" * 64}, UsageError, "not the firmware_sha256 given"),
    ],
)
def test_what_is_missing_or_contradictory(
    usual: str, technology: str, inputs: dict[str, Any], error: type[LdcatError], why: str
) -> None:
    with pytest.raises(error) as found:
        measured(usual, technology, **inputs)
    assert why in str(found.value)


def test_what_a_loader_cannot_launch(tmp_path: Path) -> None:
    with_madt = written(tmp_path / "madt.igvm", area(), parameter(HeaderType.MADT), page(0))
    with pytest.raises(CannotLaunch, match="does not know headers of type MADT"):
        measured(with_madt, vmm="qemu-igvm", vcpus=1)
    two = written(tmp_path / "two.igvm", context(number=2), context(number=2, vcpu=1))
    with pytest.raises(CannotLaunch, match="a context for vCPU 1, and the guest has fewer vCPUs"):
        measured(two, vmm="qemu-igvm", vcpus=1)


def test_a_loader_launches_no_firmware_image() -> None:
    with pytest.raises(UsageError, match="igvm-spec launches IGVM files only") as found:
        Workbench().measure(requested("sev-snp", "sid/ovmf-amdsev/OVMF.amdsev.fd", {"vmm": "igvm-spec"}))
    assert "qemu-kvm-init2" in (found.value.hint or "")


def test_counts_continue_from_one_another(usual: str) -> None:
    asked = {"vmm": "qemu-igvm", "vcpu_type": "EPYC"}
    together = Workbench().measure_counts(requested("sev-snp", usual, asked), [4, 2, 3])
    alone = [measured(usual, **asked, vcpus=count).digest for count in (4, 2, 3)]
    assert [one.digest for one in together] == alone


def test_a_file_that_is_larger_than_it_says_is_not_read_whole(tmp_path: Path, usual: str) -> None:
    large = tmp_path / "large.igvm"
    large.write_bytes(Path(usual).read_bytes())
    with large.open("ab") as file:
        file.truncate(1 << 33)
    with pytest.raises(MalformedFirmware, match="an IGVM file without the 20,480 bytes that its header says"):
        measured(str(large), vmm="igvm-spec")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.igvm"
    path.write_bytes(b"IGVM" + bytes(50))
    with pytest.raises(MalformedFirmware, match=r"broken\.igvm: unknown IGVM format version 0"):
        measured(str(path), vmm="igvm-spec")
    with pytest.raises(LdcatError):
        measured("\0", vmm="igvm-spec")
