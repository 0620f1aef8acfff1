"""Against sev-snp-measure 0.0.13, in process, on random launches; and its known errors.

Profiles that it does not have are those of its older versions, tested with vectors made by these (tests/real):
qemu-kvm-legacy is 0.0.9 and before, ec2-2023 is 0.0.6 to 0.0.12, qemu-amdese-2022 is 0.0.2 to 0.0.4.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sevsnpmeasure.gctx import GCTX
from sevsnpmeasure.guest import calc_launch_digest, calc_snp_ovmf_hash
from sevsnpmeasure.sev_mode import SevMode
from sevsnpmeasure.vmm_types import VMMType
from sevsnpmeasure.vmsa import VMSA

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.errors import CannotLaunch, MalformedFirmware, UsageError
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.metadata import Area, Section
from catalog.firmware.ovmf import OvmfImage
from catalog.launch.point import FirmwarePoint, VcpuPoint
from catalog.launch.technology import measure, technologies
from tests.support.firmware_builder import AMDSEV_AREA, AMDSEV_SECTIONS, PAGE, RESET_VECTOR, build_ovmf
from tests.support.profiles import EPYC, PROFILES, a_point
from tests.support.strategies import SIGNATURES, images

VMMS = {"qemu-kvm-init2": VMMType.QEMU, "ec2-2026": VMMType.ec2, "gce-v1": VMMType.gce}
SEV, SEV_ES, SNP = (technologies()[name] for name in ("sev", "sev-es", "sev-snp"))
MODES = {"sev": SevMode.SEV, "sev-es": SevMode.SEV_ES, "sev-snp": SevMode.SEV_SNP}
COMMAND_LINES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@dataclass(frozen=True)
class Kernel:
    """A direct boot: contents of the files and the command line; None if there is none."""

    kernel: bytes
    initrd: bytes | None
    append: str | None

    def hashes(self) -> KernelHashes:
        initrd = None if self.initrd is None else hashlib.sha256(self.initrd).digest()
        return KernelHashes.of(kernel=hashlib.sha256(self.kernel).digest(), initrd=initrd, append=self.append)


KERNELS = st.none() | st.builds(
    Kernel, st.binary(max_size=20), st.none() | st.binary(max_size=20), st.none() | COMMAND_LINES
)


class Peer:
    """sev-snp-measure on bytes: it reads files only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, data: bytes) -> str:
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    def measure(
        self,
        technology: str,
        image: bytes,
        *,
        kernel: Kernel | None = None,
        vcpus: int = 1,
        signature: int = EPYC.value,
        features: int = 1,
        vmm: VMMType = VMMType.QEMU,
    ) -> bytes:
        with_initrd = kernel is not None and kernel.initrd is not None
        digest: bytes = calc_launch_digest(
            MODES[technology],
            vcpus,
            signature,
            self.write("firmware", image),
            self.write("kernel", kernel.kernel) if kernel else "",
            self.write("initrd", kernel.initrd or b"") if kernel and with_initrd else "",
            (kernel.append or "") if kernel else "",
            features,
            vmm_type=vmm,
        )
        return digest


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    return Peer(tmp_path_factory.mktemp("peer"))


def reduced(image: bytes) -> FirmwareComponent:
    return FirmwareComponent.from_image(OvmfImage.parse(image))


def test_the_installed_version_is_the_one_with_the_known_errors() -> None:
    assert version("sev-snp-measure") == "0.0.13"


@given(image=images(secrets_pages=1), kernel=KERNELS)
def test_sev(peer: Peer, image: bytes, kernel: Kernel | None) -> None:
    firmware, point = reduced(image), FirmwarePoint(kernel.hashes() if kernel else None)
    if kernel and firmware.hashes_area is None:
        _both_refuse(peer, "sev", image, kernel, firmware, point)
    else:
        assert measure(SEV, firmware, point).value == peer.measure("sev", image, kernel=kernel)


@given(image=images(secrets_pages=1), kernel=KERNELS, vcpus=st.integers(1, 9), signature=SIGNATURES)
def test_sev_es(peer: Peer, image: bytes, kernel: Kernel | None, vcpus: int, signature: VcpuSignature) -> None:
    firmware = reduced(image)
    point = VcpuPoint(kernel.hashes() if kernel else None, PROFILES["qemu-kvm-init2"], signature, 0, vcpus)
    if kernel and firmware.hashes_area is None:
        _both_refuse(peer, "sev-es", image, kernel, firmware, point)
    else:
        expected = peer.measure("sev-es", image, kernel=kernel, vcpus=vcpus, signature=signature.value)
        assert measure(SEV_ES, firmware, point).value == expected


@settings(max_examples=200)
@given(
    image=images(secrets_pages=1),
    kernel=KERNELS,
    name=st.sampled_from(sorted(VMMS)),
    vcpus=st.integers(1, 9),
    signature=SIGNATURES,
    features=st.integers(0, 2**64 - 1).map(lambda bits: bits | 1) | st.sampled_from([1, 0x21, 0x201]),
)
def test_sev_snp(
    peer: Peer,
    image: bytes,
    kernel: Kernel | None,
    name: str,
    vcpus: int,
    signature: VcpuSignature,
    features: int,
) -> None:
    firmware, profile = reduced(image), PROFILES[name]
    given_signature = signature if profile.measures_signature else None
    point = VcpuPoint(kernel.hashes() if kernel else None, profile, given_signature, features, vcpus)
    if kernel and SNP.launch_blocker(firmware, point):
        _both_refuse(peer, "sev-snp", image, kernel, firmware, point)
    else:
        expected = peer.measure(
            "sev-snp",
            image,
            kernel=kernel,
            vcpus=vcpus,
            signature=signature.value,
            features=features,
            vmm=VMMS[name],
        )
        assert measure(SNP, firmware, point).value == expected


@given(image=images())
def test_only_the_firmware_under_snp(peer: Peer, image: bytes) -> None:
    assert reduced(image).snp_baseline == calc_snp_ovmf_hash(peer.write("firmware", image))


def _both_refuse(
    peer: Peer,
    technology: str,
    image: bytes,
    kernel: Kernel,
    firmware: FirmwareComponent,
    point: FirmwarePoint | VcpuPoint,
) -> None:
    with pytest.raises(RuntimeError):
        peer.measure(technology, image, kernel=kernel)
    with pytest.raises(CannotLaunch, match="the kernel would not be measured"):
        measure(technologies()[technology], firmware, point)


# Known errors of sev-snp-measure: it prints a digest that no launch has, or none for a possible launch.

WHOLE = build_ovmf(hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS)
KERNEL = Kernel(b"kernel", None, None)


@pytest.mark.parametrize("vcpus", [0, -3])
@pytest.mark.parametrize("technology", ["sev-es", "sev-snp"])
def test_the_peer_measures_guests_without_vcpus(peer: Peer, technology: str, vcpus: int) -> None:
    assert peer.measure(technology, WHOLE, vcpus=vcpus)
    with pytest.raises(UsageError, match=f"cannot have {vcpus} vCPUs"):
        a_point(technologies()[technology], vcpus=vcpus)


def test_the_peer_measures_snp_without_metadata(peer: Peer) -> None:
    image = build_ovmf()
    assert peer.measure("sev-snp", image)
    with pytest.raises(CannotLaunch, match="has no SEV metadata"):
        measure(SNP, reduced(image), a_point(SNP))


def test_the_peer_measures_sections_without_size(peer: Peer) -> None:
    image = build_ovmf(sections=(*AMDSEV_SECTIONS[:4], Section(0, 0, 4), Section(0, 0, 1)))
    assert peer.measure("sev-snp", image)
    with pytest.raises(CannotLaunch, match="has no size"):
        measure(SNP, reduced(image), a_point(SNP))


def test_the_peer_measures_one_page_of_secrets_for_every_size(peer: Peer) -> None:
    """QEMU and the code of GCE pass every page of the section, so that each is measured."""
    image = build_ovmf(pages=1, sections=(Section(0x80D000, 3 * PAGE, 2),))
    digests = []
    for pages in (1, 3):
        guest = GCTX()
        guest.update_normal_pages((1 << 32) - PAGE, image)
        for page in range(pages):
            guest.update_secrets_page(0x80D000 + page * PAGE)
        for vmsa in VMSA(SevMode.SEV_SNP, RESET_VECTOR, EPYC.value, 1).pages(2):
            guest.update_vmsa_page(vmsa)
        digests.append(guest.ld())
    assert peer.measure("sev-snp", image, vcpus=2) == digests[0]
    assert measure(SNP, reduced(image), a_point(SNP, vcpus=2)).value == digests[1]


@pytest.mark.parametrize("vcpus", [1, 3])
def test_the_peer_has_only_the_fpu_state_of_init2_for_sev_es(peer: Peer, vcpus: int) -> None:
    """KVM_SEV_ES_INIT, QEMU's default, leaves the FPU registers zero."""
    point = a_point(SEV_ES, vmm=PROFILES["qemu-kvm-legacy"], vcpus=vcpus)
    ours = measure(SEV_ES, reduced(WHOLE), point).value
    assert ours != peer.measure("sev-es", WHOLE, vcpus=vcpus)
    assert ours == hashlib.sha256(WHOLE + _vmsa_pages(vcpus, fpu=False)).digest()


@pytest.mark.parametrize("vcpus", [1, 3])
def test_the_peer_does_not_read_a_standalone_reset_block(peer: Peer, vcpus: int) -> None:
    """QEMU does: sev_es_find_reset_vector."""
    image = build_ovmf(standalone_reset_block=True)
    with pytest.raises(RuntimeError, match="SEV_ES_RESET_BLOCK_GUID"):
        peer.measure("sev-es", image, vcpus=vcpus)
    ours = measure(SEV_ES, reduced(image), a_point(SEV_ES, vcpus=vcpus)).value
    assert ours == hashlib.sha256(image + _vmsa_pages(vcpus, fpu=True)).digest()


@pytest.mark.parametrize("data", [bytes(PAGE), b"any text at all " * 100])
def test_the_peer_measures_any_file_as_firmware(peer: Peer, data: bytes) -> None:
    assert peer.measure("sev", data) == hashlib.sha256(data).digest()
    with pytest.raises(MalformedFirmware):
        OvmfImage.parse(data)


def test_the_peer_measures_a_table_that_does_not_fit(peer: Peer) -> None:
    """QEMU refuses an area of less than 176 bytes, and base 0, which means that the build has no area."""
    image = build_ovmf(hashes_area=Area(0x810C00, 16), sections=AMDSEV_SECTIONS)
    for technology in (SEV, SEV_ES, SNP):
        assert peer.measure(technology.name, image, kernel=KERNEL)
        with pytest.raises(CannotLaunch, match="less than its table's 176"):
            measure(technology, reduced(image), a_point(technology, kernel_hashes=KERNEL.hashes()))
    image = build_ovmf(hashes_area=Area(0, 0), sections=AMDSEV_SECTIONS)
    assert peer.measure("sev-snp", image, kernel=KERNEL)
    with pytest.raises(CannotLaunch, match="no kernel hashes area"):
        measure(SNP, reduced(image), a_point(SNP, kernel_hashes=KERNEL.hashes()))


def test_the_peer_measures_snp_guests_that_do_not_run_with_snp(peer: Peer) -> None:
    assert peer.measure("sev-snp", WHOLE, features=0x20)
    with pytest.raises(CannotLaunch, match="lacks bit 0, SNPActive"):
        measure(SNP, reduced(WHOLE), a_point(SNP, sev_features=0x20))


def _vmsa_pages(vcpus: int, *, fpu: bool) -> bytes:
    vmsa = VMSA(SevMode.SEV_ES, RESET_VECTOR, EPYC.value, 0)
    for area in () if fpu else (vmsa.bsp_save_area, vmsa.ap_save_area):
        area.mxcsr = area.x87_fcw = 0
    return b"".join(vmsa.pages(vcpus))
