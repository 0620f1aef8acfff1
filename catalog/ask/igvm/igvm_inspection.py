"""What an IGVM file has: platforms, headers, memory, VMSAs, the firmware inside, and its launch under each loader."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from typing import Any

from catalog.abi.guest_policy import SevPolicy, SnpPolicy
from catalog.ask.igvm.igvm_memory import count_ranges, memory_ranges
from catalog.ask.igvm.igvm_notes import file_notes
from catalog.ask.igvm.loader_differences import loader_differences
from catalog.ask.igvm.opened_igvm import OpenedIgvm, digest_of_contexts
from catalog.ask.vmsa_pages import SaveArea
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.igvm.igvm_component import PLATFORMS
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.igvm_layout import (
    SnpIdBlock,
    SupportedPlatform,
)
from catalog.firmware.igvm.igvm_types import HeaderType, PageDataType, PlatformType
from catalog.firmware.igvm.page_run import PageRun
from catalog.firmware.known_tail import known_tails
from catalog.firmware.metadata import PAGE_SIZE
from catalog.firmware.ovmf import FOUR_GIB, MAX_IMAGE_SIZE
from catalog.launch.igvm.igvm_launch import IgvmLaunch
from catalog.notes import Note, worst_first

MAX_RANGES = 10_000
"""Ranges of memory in JSON."""

_IMAGES = range(FOUR_GIB - MAX_IMAGE_SIZE, FOUR_GIB)
"""Addresses of firmware images."""

_TECHNOLOGIES = {kind: technology for technology, kind in PLATFORMS.items()}


@dataclass(frozen=True)
class IgvmInspection:
    """An inspected IGVM file. builds: those that the firmware inside may be."""

    opened: OpenedIgvm
    builds: Collection[FirmwareBuild]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `ldcat inspect`: addresses and sizes as numbers, hashes in hex; null: only the file tells it."""
        file, component = self.opened.file, self.opened.whole
        ranges = list(islice(memory_ranges(file), MAX_RANGES)) if file else []
        return {
            "name": self.opened.name,
            "kind": "igvm",
            "sha256": component.sha256.hex(),
            "sha384": component.sha384.hex(),
            "size": component.size,
            "format_version": file and file.version,
            "architecture": file and file.architecture,
            "platforms": [self._platform(kind, file.platform(kind) if file else None) for kind in component.declared],
            "headers": self._headers(file) if file else dict.fromkeys(kind.name for kind in sorted(component.headers)),
            "memory_map": [one.to_dict() for one in ranges],
            "memory_map_more": count_ranges(file) - len(ranges) if file and len(ranges) == MAX_RANGES else 0,
            "launches": [_launch(one) for name in component.platforms for one in self.opened.launches(name)],
            "notes": [note.to_dict() for note in self.notes()],
        }

    def notes(self) -> list[Note]:
        """What is odd about the file, and under which loaders its ID block is right; the worst first."""
        found = list(file_notes(self.opened.file, self.opened.whole))
        if "sev-snp" in self.opened.whole.platforms and self.opened.whole.platforms["sev-snp"].expected:
            if loaders := ", ".join(self.opened.expected_by("sev-snp")):
                found.append(Note("id-block-matches", f"the ID block of the file expects the digest under {loaders}"))
            else:
                text = "the ID block of the file expects a digest that no known loader gives"
                found.append(Note("id-block-differs", text))
        return worst_first(found)

    def _platform(self, kind: PlatformType, one: SupportedPlatform | None) -> dict[str, Any]:
        """One platform. one: its header; None without the file."""
        technology = _TECHNOLOGIES.get(kind)
        known = self.opened.whole.platforms[technology] if technology else None
        of_file = self._of_file(one, technology) if one else {}
        return {
            "platform": kind.name,
            "technology": technology,
            "mask": known.mask if known else one and one.mask,
            "highest_vtl": one and one.highest_vtl,
            "shared_gpa_boundary": one and one.shared_gpa_boundary,
            "policy": _policy(known.policy, kind) if known and known.policy is not None else None,
            "contexts": [{"vcpu": c.vcpu, "gpa": c.gpa, **_vmsa(c.page)} for c in known.contexts] if known else [],
            "id_block": {"launch_digest": known.expected.hex()} if known and known.expected else None,
            "firmware": None,
            "differences": None,
            **of_file,
        }

    def _of_file(self, one: SupportedPlatform, technology: str | None) -> dict[str, Any]:
        """What only the file tells of a platform."""
        file = self.opened.file
        assert file is not None, "its header is from there"  # noqa: S101
        launches = self.opened.launches(technology) if technology else []
        rules = {launch.vmm.name: launch.rules for launch in launches if not launch.blocker}
        return {
            "id_block": _id_block(file, one.mask),
            "firmware": self._firmware(file, one.mask),
            "differences": [each.to_dict() for each in loader_differences(file, one.mask, rules)],
        }

    def _headers(self, file: IgvmFile) -> dict[str, int]:
        counts: Counter[int] = Counter()
        for kind, one in file.headers:
            counts[kind] += len(one.gpas) if isinstance(one, PageRun) else 1
        return {HeaderType(kind).name: count for kind, count in sorted(counts.items())}

    def _firmware(self, file: IgvmFile, mask: int) -> dict[str, Any] | None:
        """The image that ends at 4 GiB, from NORMAL pages, and what is known of its end; None if there is none."""
        pages, gpa, contents = _pages_of_images(file, mask), FOUR_GIB - PAGE_SIZE, []
        while gpa in pages:
            contents.append(file.page(pages[gpa]))
            gpa -= PAGE_SIZE
        data = b"".join(reversed(contents))
        if not data:
            return None
        return {
            "gpa": FOUR_GIB - len(data),
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "known_tails": [
                {"size": tail.size, "builds": list(tail.builds), "code_of": list(tail.code_of)}
                for tail in known_tails(data, self.builds)
            ],
        }


def _id_block(file: IgvmFile, mask: int) -> dict[str, Any] | None:
    for _, one in file.headers:
        if isinstance(one, SnpIdBlock) and one.mask & mask:
            return {
                "launch_digest": one.digest.hex(),
                "family_id": one.family_id.hex(),
                "image_id": one.image_id.hex(),
                "version": one.version,
                "guest_svn": one.guest_svn,
                "author_key_enabled": bool(one.author_key_enabled),
            }
    return None


def _pages_of_images(file: IgvmFile, mask: int) -> dict[int, int]:
    """Offset of the contents of each page that may be of an image, by its address."""
    return {
        gpa: offset
        for _, run in file.headers
        if isinstance(run, PageRun) and max(run.gpas) >= _IMAGES.start
        for gpa, own, offset, flags, data_type in zip(*run[1:6], strict=True)
        if gpa in _IMAGES and own & mask and not flags and data_type == PageDataType.NORMAL
    }


def _launch(launch: IgvmLaunch) -> dict[str, Any]:
    """A launch under a loader, with as many vCPUs as the file has contexts, at least one."""
    digest, expected = digest_of_contexts(launch), launch.platform.expected
    unknown = "the digest depends on the vCPU type: ldcat measure computes it" if launch.needs_signature else ""
    return {
        "technology": launch.technology,
        "vmm": launch.vmm.name,
        "measurable": "no" if launch.blocker else "yes",
        "fault": launch.blocker or unknown,
        "vcpus": launch.vcpus_of_contexts if launch.measures_vcpus and not launch.blocker else None,
        "launch_digest": digest and digest.hex(),
        "id_block": None if expected is None or digest is None else "matches" if expected == digest else "differs",
    }


def _policy(value: int, platform: PlatformType) -> dict[str, Any]:
    if platform is PlatformType.SEV_SNP:
        return {"value": f"{value:#x}", **SnpPolicy.parse(value).to_dict()}
    return {"value": f"{value:#x}", **SevPolicy.parse(value & 0xFFFFFFFF).to_dict()}


def _vmsa(page: bytes) -> dict[str, Any]:
    return {name: value for name, value in SaveArea(page).to_dict().items() if name != "profiles"}
