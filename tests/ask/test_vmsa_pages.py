"""VMSA pages: built as `measure` hashes them, recognised, compared and written."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.abi import vmsa
from catalog.abi.vcpu import VcpuSignature
from catalog.abi.vcpu_start import RESET_EIP
from catalog.ask.vmsa_pages import PageRequest, SaveArea, differences
from catalog.errors import (
    CannotLaunch,
    LdcatError,
    UnknownName,
    Unreadable,
    UsageError,
)
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.point import VcpuPoint
from catalog.launch.technology import technologies, technology_named
from catalog.notes import Note
from catalog.spec import embedded
from tests.support.firmware_builder import build_ovmf
from tests.support.strategies import VMSA_PAGES, images, points

AMDSEV = "sid/ovmf-amdsev/OVMF.amdsev.fd"
BSP = PageRequest(technology="sev-snp", vmm="qemu-kvm-init2", vcpu_type="EPYC-Milan")
AP = replace(BSP, ap=True, firmware=AMDSEV)


def built(request: PageRequest) -> SaveArea:
    area, _ = request.build(embedded.builds())
    return area


@given(st.data())
@settings(max_examples=60)
def test_a_built_page_is_the_one_that_measure_hashes(data: st.DataObject) -> None:
    technology = technology_named(data.draw(st.sampled_from(["sev-es", "sev-snp"])))
    image, point = data.draw(images()), data.draw(points(technology))
    assert isinstance(point, VcpuPoint)
    point = replace(point, kernel_hashes=None, vcpus=2)
    signature = point.vcpu_signature
    request = PageRequest(
        technology=technology.name,
        vmm=point.vmm.name,
        vcpu_signature=None if signature is None else signature.value,
        sev_features=point.sev_features,
    )
    with TemporaryDirectory() as folder:
        path = Path(folder, "image.fd")
        path.write_bytes(image)
        ap_request = replace(request, ap=True, firmware=str(path))
        component = FirmwareComponent.from_image(OvmfImage.parse(image))
        if reason := technology.launch_blocker(component, point):
            with pytest.raises(CannotLaunch, match="cannot launch") as caught:
                built(ap_request)
            assert reason in str(caught.value)
            return
        ap = built(ap_request)
    *_, bsp_run, ap_run = technology.update_runs(component, point)
    assert [update.data for update in bsp_run.updates] == [built(request).page]
    assert [update.data for update in ap_run.updates] == [ap.page]
    by_number = replace(ap_request, firmware=None, reset_vector=component.reset_vector)
    assert built(by_number) == ap
    for area, vcpus in ((built(request), {"bsp"}), (ap, {"ap", "bsp"})):
        origin = next(o for o in area.origins() if o.vmm.name == point.vmm.name)
        assert (origin.technology, origin.vcpu_signature) == (technology.name, signature)
        assert origin.sev_features == point.sev_features
        assert origin.vcpu in vcpus  # an AP that starts at the x86 reset vector can be the same as a BSP


def test_a_catalog_has_the_sha256_of_the_page() -> None:
    shown = built(AP).to_dict()
    assert shown["sha256"] == hashlib.sha256(built(AP).page).hexdigest()
    assert shown["sha384"] == hashlib.sha384(built(AP).page).hexdigest()


def test_sev_features_default_to_those_of_the_technology() -> None:
    assert vmsa.decode(built(BSP).page).values["sev_features"] == 1
    assert vmsa.decode(built(replace(BSP, technology="sev-es")).page).values["sev_features"] == 0
    assert vmsa.decode(built(replace(BSP, sev_features=0x21)).page).values["sev_features"] == 0x21


def test_fields_that_do_not_matter_are_noted() -> None:
    area, notes = replace(BSP, vmm="gce-v1").build({})
    assert notes == (Note("digest-ignores-input", "this page does not depend on: vCPU type"),)
    assert replace(BSP, vmm="gce-v1", vcpu_type=None).build({}) == (area, ())
    assert BSP.build({})[1] == ()


@pytest.mark.parametrize(
    ("request_", "error", "part"),
    [
        (replace(BSP, technology="cca"), UnknownName, "unknown technology 'cca'"),
        (replace(BSP, technology="sev"), UsageError, "sev measures no vCPU"),
        (replace(BSP, vmm=None), UsageError, "sev-snp depends on the VMM"),
        (replace(BSP, vmm="qemu"), UnknownName, "unknown VMM profile 'qemu'"),
        (replace(BSP, vmm="gce-v1", technology="sev-es"), CannotLaunch, "gce-v1 does not launch sev-es"),
        (replace(BSP, vcpu_type=None), UsageError, "measures the vCPU signature, and none is given"),
        (replace(BSP, vcpu_type="EPYC-Naples"), UnknownName, "unknown vCPU type"),
        (replace(BSP, vcpu_signature=1), UsageError, "has the vCPU signature 0x00a00f11, not 0x00000001"),
        (replace(BSP, vcpu_type=None, vcpu_signature=1 << 32), UsageError, "not a 32-bit number"),
        (replace(BSP, sev_features=1 << 64), UsageError, "not a 64-bit number"),
        (replace(BSP, sev_features=-1), UsageError, "not a 64-bit number"),
        (replace(BSP, sev_features=0x20), CannotLaunch, "sev_features 0x20 is not possible under sev-snp"),
        (replace(BSP, technology="sev-es", sev_features=1), CannotLaunch, "is not possible under sev-es"),
        (replace(BSP, firmware=AMDSEV), UsageError, "the BSP starts at 0xfffffff0"),
        (replace(BSP, reset_vector=0x80B004), UsageError, "the BSP starts at 0xfffffff0"),
        (replace(AP, firmware=None), UsageError, "the page of an AP needs a firmware or a reset vector"),
        (replace(AP, reset_vector=0x80B004), UsageError, "the page of an AP needs a firmware or a reset vector"),
        (replace(AP, firmware=None, reset_vector=0), UsageError, "reset vector 0x0 is not a nonzero address"),
        (replace(AP, firmware=None, reset_vector=1 << 32), UsageError, "0x100000000 is not a nonzero address"),
        (replace(AP, firmware=None, reset_vector=-1), UsageError, "reset vector -0x1 is not a nonzero address"),
        (replace(AP, firmware="nobody"), UnknownName, "unknown build or firmware file 'nobody'"),
        (replace(AP, firmware="/nowhere.fd"), Unreadable, "/nowhere.fd"),
        (replace(AP, firmware="bookworm/ovmf/OVMF_CODE_4M.fd"), CannotLaunch, "no SEV metadata"),
        (
            replace(AP, firmware="bullseye/ovmf/OVMF_CODE_4M.fd", technology="sev-es"),
            CannotLaunch,
            "sev-es cannot launch bullseye/ovmf/OVMF_CODE_4M.fd: the SEV-ES reset address is zero",
        ),
        (replace(AP, vmm="qemu-amdese-2022"), CannotLaunch, "does not know metadata sections of type SVSM_CAA"),
    ],
)
def test_requests_for_impossible_pages_are_refused(request_: PageRequest, error: type[LdcatError], part: str) -> None:
    with pytest.raises(error) as caught:
        built(request_)
    assert part in str(caught.value)
    assert caught.value.hint or error is UsageError or error is Unreadable


def test_a_firmware_without_a_reset_vector_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none.fd").write_bytes(build_ovmf(reset_vector=None))
    with pytest.raises(CannotLaunch, match="no SEV-ES reset block") as caught:
        built(replace(AP, technology="sev-es", firmware=str(tmp_path / "none.fd")))
    assert caught.value.hint


def origins(area: SaveArea) -> list[tuple[str, str, str, int]]:
    return [(o.vmm.name, o.technology, o.vcpu, o.start) for o in area.origins()]


def test_all_profiles_with_the_same_page_are_named() -> None:
    legacy = built(replace(BSP, vmm="qemu-kvm-legacy"))
    names = ["qemu-amdese-2022", "qemu-kvm-legacy"]
    assert origins(legacy) == [(name, "sev-snp", "bsp", RESET_EIP) for name in names]
    es = built(replace(BSP, vmm="qemu-kvm-legacy", technology="sev-es"))
    assert origins(es) == [("qemu-kvm-legacy", "sev-es", "bsp", RESET_EIP)]


def test_an_ap_is_distinguished_from_a_bsp() -> None:
    assert origins(built(AP)) == [("qemu-kvm-init2", "sev-snp", "ap", 0x80B004)]
    odd = PageRequest(technology="sev-snp", vmm="ec2-2023", ap=True, reset_vector=RESET_EIP)
    assert origins(built(odd)) == [("ec2-2023", "sev-snp", "ap", RESET_EIP)]
    assert origins(built(replace(odd, ap=False, reset_vector=None))) == [("ec2-2023", "sev-snp", "bsp", RESET_EIP)]


def changed(area: SaveArea, **values: int) -> SaveArea:
    registers = vmsa.decode(area.page)
    return SaveArea(vmsa.encode(vmsa.Registers(registers.segments, {**registers.values, **values})))


@pytest.mark.parametrize(
    "values",
    [
        {"rdx": 1 << 32},
        {"cr0": 0x11},
        {"rip": 0x1FFF0},
        {"sev_features": 1 << 63 | 1, "cr4": 0},
    ],
)
def test_a_changed_page_has_no_origin(values: dict[str, int]) -> None:
    assert origins(changed(built(BSP), **values)) == []
    assert SaveArea(bytes(4096)).to_dict()["profiles"] == []


def test_impossible_pages_have_no_origin() -> None:
    gce = built(PageRequest(technology="sev-snp", vmm="gce-v1"))
    assert origins(gce) == [("gce-v1", "sev-snp", "bsp", RESET_EIP)]
    assert origins(changed(gce, sev_features=0)) == []  # this would be SEV-ES
    at_zero = embedded.profile_named("gce-v1").vmsa_page(0, VcpuSignature(0), 1, bsp=False)
    assert origins(SaveArea(at_zero)) == []
    unnamed = bytearray(gce.page)
    unnamed[0x420] = 1
    assert origins(SaveArea(bytes(unnamed))) == []


def test_an_origin_in_json() -> None:
    (origin,) = built(BSP).to_dict()["profiles"]
    names = ["EPYC-Milan", *(f"EPYC-Milan-v{n}" for n in (1, 2, 3, 4))]
    assert origin == {
        "vmm": "qemu-kvm-init2",
        "technology": "sev-snp",
        "vcpu": "bsp",
        "start": "0xfffffff0",
        "vcpu_signature": "0x00a00f11",
        "vcpu_types": names,
        "sev_features": "0x1",
    }
    (origin,) = built(PageRequest(technology="sev-snp", vmm="gce-v1")).to_dict()["profiles"]
    assert (origin["vcpu_signature"], origin["vcpu_types"]) == (None, [])


def test_differences_are_named_in_the_order_of_the_page() -> None:
    here, there = bytearray(built(BSP).page), bytearray(built(AP).page)
    here[0x420:0x424] = b"\1\2\3\4"
    there[0x422:0x426] = b"\3\5\6\7"
    found = [(d.what, d.a, d.b) for d in differences(SaveArea(bytes(here)), SaveArea(bytes(there)))]
    assert found == [
        ("cs.base", "0xffff0000", "0x800000"),
        ("rip", "0xfff0", "0xb004"),
        ("bytes 0x420 to 0x421", "0102", "0000"),
        ("bytes 0x423 to 0x425", "040000", "050607"),
    ]


@given(VMSA_PAGES, VMSA_PAGES)
def test_equal_pages_have_no_differences(a: bytes, b: bytes) -> None:
    first, second = SaveArea(a), SaveArea(b)
    found = differences(first, second)
    assert (not found) == (a == b)
    assert [(d.what, d.b, d.a) for d in found] == [(d.what, d.a, d.b) for d in differences(second, first)]
    assert differences(first, first) == []


def test_every_technology_with_vcpus_has_pages() -> None:
    with_vcpus = {name for name, known in technologies().items() if known.measures_vcpus}
    assert with_vcpus == {"sev-es", "sev-snp"}
