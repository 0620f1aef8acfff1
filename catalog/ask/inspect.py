"""Inspect: facts of a firmware image, its memory map, and the technologies that can launch it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.ask.memory_map import memory_map
from catalog.files import inputs
from catalog.firmware.blob_verifier import Enforced
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.guid_table import NAMES
from catalog.firmware.known_tail import KnownTail, known_tails
from catalog.firmware.ovmf import FOUR_GIB, OvmfImage
from catalog.firmware.tdx.rtmr_facts import RtmrFacts
from catalog.firmware.tdx.tdx_facts import TdxFacts
from catalog.firmware.variable_store import variable_store_size
from catalog.firmware.volume_contents import read_volumes
from catalog.launch.kernel_hashes_area import hashes_area_blocker
from catalog.launch.technology import technologies
from catalog.notes import worst_first
from catalog.spec import named_builds
from catalog.spec.image_files import read_image, split_reference


@dataclass(frozen=True, slots=True)
class Inspection:
    """An inspected firmware.

    build: the build with its component.
    image: the parsed image; None if the build was named, so that only its component is known.
    tails: what is known of the end of an unknown image.
    """

    build: FirmwareBuild
    image: OvmfImage | None
    tails: Sequence[KnownTail] = ()

    @classmethod
    def of(cls, reference: str, builds: Mapping[str, FirmwareBuild]) -> Inspection:
        """Inspect an image file (and its catalogued build, if any), or a build given by name, SHA-256 or record file.

        Raises the errors of `named_builds.find_build` and `image_files.read_image`.
        """
        path, _ = split_reference(reference)
        is_image = path.suffix != ".toml" and reference not in builds and inputs.exists(path)
        if not is_image:
            return cls(named_builds.find_build(reference, builds), None)
        file = read_image(reference)
        build = named_builds.build_of_image(file.image, reference, file.notes)
        is_known = any(known.component.sha256 == build.component.sha256 for known in builds.values())
        return cls(build, file.image, () if is_known else known_tails(file.image.data, builds.values()))

    def guid_table(self) -> list[dict[str, Any]]:
        """Entries of the GUID table in the order in which it is read, data in hex; empty without image or table."""
        table = self.image.table if self.image else {}
        return [{"guid": str(guid), "name": NAMES.get(guid), "data": data.hex()} for guid, data in table.items()]

    def why_enforcement_is_unknown(self) -> str | None:
        """Why it is not known whether kernel hashes are enforced; None if it is known."""
        if self.build.component.kernel_hashes_enforced is not Enforced.UNKNOWN:
            return None
        if self.image is None:
            return "the record says so; only the image tells why"
        return read_volumes(self.image.data).enforcement.why_unknown

    def launches(self) -> dict[str, dict[str, str]]:
        """For each technology: whether the build can be measured, or why not, and whether it is expected to launch."""
        return {
            name: {
                "measurable": "no" if (fault := technology.firmware_blocker(self.build.image)) else "yes",
                "fault": fault or "",
                "launchable": self.build.launchability(name).verdict,
                "reason": self.build.launchability(name).reason,
                "source": self.build.launchability(name).source,
            }
            for name, technology in technologies().items()
        }

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `ldcat inspect`: addresses and sizes as numbers, hashes in hex."""
        component, origin = self.build.image, self.build.origin
        return {
            "name": self.build.name,
            "origin": None if origin is None else {f: getattr(origin, f) for f in origin.__struct_fields__},
            "sha256": _hex(component.sha256),
            "sha384": _hex(component.sha384),
            "size": component.size,
            "firmware_version": component.firmware_version,
            "gpa": component.gpa,
            "end": FOUR_GIB if component.size else None,
            "reset_vector": component.reset_vector,
            "standalone_reset_block": self._standalone_reset_block(),
            "hashes_area": component.hashes_area
            and {"gpa": component.hashes_area.gpa, "size": component.hashes_area.size},
            "kernel_hashes": hashes_area_blocker(component) or "supported",
            "kernel_hashes_enforced": component.kernel_hashes_enforced.value,
            "kernel_hashes_enforced_reason": self.why_enforcement_is_unknown(),
            "variable_store_size": variable_store_size(self.image.data) if self.image else None,
            "code": component.code and {"size": component.code.size, "sha256": component.code.sha256.hex()},
            "known_tails": [
                {"size": tail.size, "builds": list(tail.builds), "code_of": list(tail.code_of)} for tail in self.tails
            ],
            "guid_table": self.guid_table(),
            "sections": [{"gpa": s.gpa, "size": s.size, "type": s.name} for s in component.sections],
            "sha256_midstate": _hex(component.sha256_midstate),
            "snp_baseline": component.snp_baseline.hex(),
            "tdx": self._tdx(),
            "memory_map": [one.to_dict() for one in memory_map(component)],
            "launches": self.launches(),
            "notes": [note.to_dict() for note in worst_first(list(self.build.notes))],
        }

    def _tdx(self) -> dict[str, Any] | None:
        if self.image is None:
            return None
        return {**TdxFacts.of(self.image).to_dict(), "rtmr": RtmrFacts.of(self.image).to_dict()}

    def _standalone_reset_block(self) -> bool | None:
        return None if self.image is None else not self.image.table


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
