"""The profiles of data/vmm/ that launch firmware images, by AMD SEV or as TDs, and a point for each technology."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.launch.point import Point
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import Technology

DATA = Path(__file__).parents[2] / "data"
_ALL = [VmmProfile.parse(path.read_text(encoding="utf-8")) for path in sorted((DATA / "vmm").glob("*.toml"))]
PROFILES = {profile.name: profile for profile in _ALL if not profile.igvm and not profile.tdx}
TDX_PROFILES = {profile.name: profile for profile in _ALL if profile.tdx}
EPYC = VcpuSignature(0x00800F12)
HASHES = KernelHashes.of(kernel=b"k" * 32, append="console=ttyS0")


def a_point(technology: Technology, **chosen: Any) -> Point:
    """A point of the technology's own type: `chosen`, with defaults for its other fields."""
    defaults: dict[str, Any] = {
        "kernel_hashes": None,
        "vmm": TDX_PROFILES["qemu-tdx"] if technology.name == "tdx" else PROFILES["qemu-kvm-init2"],
        "vcpu_signature": EPYC,
        "sev_features": technology.default_sev_features,
        "vcpus": 2,
    }
    names = [field.name for field in fields(technology.point_type)]
    point: Point = technology.point_type(**{name: chosen.get(name, defaults[name]) for name in names})
    return point
