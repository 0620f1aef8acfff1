"""Whether a guest is expected to launch with a build, under a technology and a VMM."""

from __future__ import annotations

from catalog.firmware.build import FirmwareBuild, LaunchableWire
from catalog.launch.hosted import hosted_verdict
from catalog.launch.profile import VmmProfile


def launchability(build: FirmwareBuild, technology: str, vmm: VmmProfile | None) -> LaunchableWire:
    """What is recorded for a build, unless the VMM is hosted and launches other firmware. vmm: None if not measured."""
    if vmm is not None:
        distribution = build.origin.distribution if build.origin else None
        if hosted := hosted_verdict(vmm.name, vmm.wire.hosted, distribution):
            verdict, reason, source = hosted
            return LaunchableWire(verdict=verdict, reason=reason, source=source)
    return build.launchability(technology)
