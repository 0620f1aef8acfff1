"""What can be named on a command line: builds, kernels, profiles, vCPU types, fleets and formats, as rows to list."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from catalog.export.export_format import export_formats
from catalog.firmware.build import FirmwareBuild
from catalog.launch.vcpu_types import VcpuTypes
from catalog.spec import embedded


class Listed(StrEnum):
    """What is listed."""

    BUILDS = "builds"
    KERNELS = "kernels"
    VMMS = "vmms"
    VCPU_TYPES = "vcpu-types"
    FLEETS = "fleets"
    EXPORT_FORMATS = "export-formats"


def names_of(kind: Listed) -> list[str]:
    """The embedded names, sorted."""
    return [str(row["name"]) for row in rows_of(kind, embedded.builds())]


def rows_of(kind: Listed, builds: Mapping[str, FirmwareBuild]) -> list[dict[str, Any]]:
    """One row for each name, sorted by it. builds: those that can be named, by name."""
    if kind is Listed.BUILDS:
        rows = [_build(build) for build in builds.values()]
    elif kind is Listed.KERNELS:
        rows = [
            {
                "name": record.name,
                "kernel_sha256": record.hashes.kernel.hex(),
                "initrd_sha256": record.hashes.initrd.hex(),
                "append": record.append,
            }
            for record in embedded.kernels().values()
        ]
    elif kind is Listed.VMMS:
        rows = [
            {
                "name": profile.wire.name,
                "technologies": " ".join(profile.wire.technologies),
                "launches": "IGVM files" if profile.igvm else "images",
                "title": profile.wire.title,
            }
            for profile in (*embedded.profiles().values(), *embedded.loaders().values())
        ]
    elif kind is Listed.VCPU_TYPES:
        types: VcpuTypes = embedded.vcpu_types()
        rows = [{"name": name, "vcpu_signature": f"0x{one.value:08x}"} for name, one in types.by_name.items()]
    elif kind is Listed.EXPORT_FORMATS:
        rows = [{"name": name, "title": one.title} for name, one in export_formats().items()]
    else:
        rows = [_fleet(name, tomllib.loads(path.read_text("utf-8"))) for name, path in embedded.fleets().items()]
    return sorted(rows, key=lambda row: str(row["name"]))


def _build(build: FirmwareBuild) -> dict[str, Any]:
    origin, sha256 = build.origin, build.component.sha256
    return {
        "name": build.name,
        "package": origin.package if origin else None,
        "version": origin.version if origin else None,
        "sha256": sha256.hex() if sha256 else None,
    }


def _fleet(name: str, record: Mapping[str, Any]) -> dict[str, Any]:
    document = record["document"]
    return {"name": name, "form": document["form"], "checked": document["checked"], "origin": document["origin"]}
