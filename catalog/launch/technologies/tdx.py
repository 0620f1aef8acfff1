"""TDX: the launch digest is the MRTD, which the image and the way of the VMM determine."""

from __future__ import annotations

from catalog.abi.digest import TDX_DIGEST_SIZE, LaunchDigest
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.tdx.tdx_facts import TdxFacts
from catalog.launch.kernel_hashes_area import NOT_COMPUTABLE
from catalog.launch.point import VmmPoint
from catalog.launch.profile import TdxLaunchRules
from catalog.launch.technology import Technology


class Tdx(Technology):
    """Intel TDX. Source: Intel TDX Module Base Architecture Specification, MRTD; QEMU target/i386/kvm/tdx.c.

    The digest depends on no vCPU, no memory size, no kernel: these are measured later, or not at all.
    """

    name = "tdx"
    title = "Intel TDX"
    digest_size = TDX_DIGEST_SIZE
    point_type = VmmPoint
    keeps_components = True

    def baseline(self, firmware: FirmwareComponent) -> TdxFacts:
        return _facts(firmware)

    def state_of(self, firmware: FirmwareComponent, point: VmmPoint) -> bytes:
        return self.baseline(firmware).mrtd[_rules(point).way]

    def finish(self, state: bytes) -> LaunchDigest:
        return LaunchDigest(state)

    def firmware_blocker(self, firmware: FirmwareComponent) -> str | None:
        if firmware.tdx is None:
            return f"{NOT_COMPUTABLE}: the TDX facts of the image are not known"
        return firmware.tdx.fault

    def launch_blocker(self, firmware: FirmwareComponent, point: VmmPoint) -> str | None:
        if reason := self.firmware_blocker(firmware) or self.vmm_blocker(point):
            return reason
        rules, facts = _rules(point), _facts(firmware)
        for section in facts.sections:
            if section.kind not in rules.sections:
                return f"{point.vmm.name} does not know TDVF sections of type {section.name}"
        if rules.way not in facts.mrtd:
            return f"{NOT_COMPUTABLE}: {point.vmm.name} measures the variable store, which is in another file"
        return self.kernel_hashes_blocker(firmware, point)


def _facts(firmware: FirmwareComponent) -> TdxFacts:
    assert firmware.tdx is not None, "firmware_blocker() names an image whose facts are not known"  # noqa: S101
    return firmware.tdx


def _rules(point: VmmPoint) -> TdxLaunchRules:
    rules = point.vmm.tdx
    assert rules is not None, "launch_blocker() names a profile that does not launch tdx"  # noqa: S101
    return rules


TECHNOLOGY = Tdx()
