"""What an IGVM file has: platforms, headers, memory, VMSAs, the firmware inside, and its launch under each loader."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice
from typing import Any

from catalog.abi.guest_policy import SnpPolicy
from catalog.ask.igvm.igvm_measure import digest_of_contexts
from catalog.ask.igvm.loader_differences import loader_differences
from catalog.ask.vmsa_pages import SaveArea
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.igvm_layout import (
    IS_2MB,
    SHARED,
    UNMEASURED,
    ErrorRange,
    HeaderType,
    PageDataType,
    ParameterArea,
    ParameterInsert,
    PlatformType,
    RequiredMemory,
    SnpIdBlock,
    SupportedPlatform,
)
from catalog.firmware.igvm.page_run import PageRun
from catalog.firmware.known_tail import KnownTail, known_tails
from catalog.firmware.metadata import PAGE_SIZE
from catalog.firmware.ovmf import FOUR_GIB, MAX_IMAGE_SIZE
from catalog.launch.igvm.igvm_component import PLATFORMS, IgvmComponent, IgvmPlatform
from catalog.launch.igvm.igvm_launch import IgvmLaunch
from catalog.notes import Note, worst_first
from catalog.spec import embedded
from catalog.spec.igvm_files import component_of

MAX_RANGES = 10_000
"""Ranges of memory that are shown."""

_IMAGES = range(FOUR_GIB - MAX_IMAGE_SIZE, FOUR_GIB)
"""Addresses of firmware images."""

_TECHNOLOGIES = {kind: technology for technology, kind in PLATFORMS.items()}


@dataclass(frozen=True)
class FirmwareInside:
    """What lies directly below 4 GiB: a firmware image. tails: what is known of its end."""

    data: bytes
    tails: tuple[KnownTail, ...]

    def to_dict(self) -> dict[str, Any]:
        """In the JSON of `ldcat inspect`."""
        return {
            "gpa": FOUR_GIB - len(self.data),
            "size": len(self.data),
            "sha256": hashlib.sha256(self.data).hexdigest(),
            "known_tails": [
                {"size": tail.size, "builds": list(tail.builds), "code_of": list(tail.code_of)} for tail in self.tails
            ],
        }


@dataclass(frozen=True)
class IgvmInspection:
    """An inspected IGVM file. builds: those that the firmware inside may be."""

    name: str
    file: IgvmFile
    builds: Collection[FirmwareBuild]

    @cached_property
    def component(self) -> IgvmComponent:
        """What the file is for all known loaders."""
        return component_of(self.file)

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `ldcat inspect`: addresses and sizes as numbers, hashes in hex."""
        return {
            "name": self.name,
            "kind": "igvm",
            "sha256": self.component.sha256.hex(),
            "sha384": self.component.sha384.hex(),
            "size": self.component.size,
            "format_version": self.file.version,
            "architecture": self.file.architecture,
            "platforms": [self._platform(one) for one in self.file.platforms],
            "headers": self._headers(),
            "memory_map": [*islice(self._memory(), MAX_RANGES)],
            "launches": [launch for one in self.component.platforms for launch in self._launches(one)],
            "notes": [note.to_dict() for note in self.notes()],
        }

    def notes(self) -> list[Note]:
        """What is odd about the file, the worst first."""
        found = []
        if self.file.padded:
            text = f"the padding of {self.file.padded:,} headers is not zero, which the format demands"
            found.append(Note("igvm-padding-not-zero", text))
        if self.file.undeclared:
            text = f"headers are for the mask {self.file.undeclared:#x}, which is that of no platform of the file"
            found.append(Note("igvm-mask-undeclared", text))
        if self.file.ignored:
            kinds = ", ".join(f"{kind:#x}" for kind in self.file.ignored)
            text = f"headers of unknown types were passed over, which say that they may be ignored: {kinds}"
            found.append(Note("igvm-header-ignored", text))
        for one in self.file.platforms:
            if count := self._overlaps(one.mask):
                text = f"{count:,} pages of {_name(one)} lie where another one does: the loader decides which one stays"
                found.append(Note("igvm-pages-overlap", text))
        return worst_first(found)

    def firmware(self, mask: int) -> FirmwareInside | None:
        """The image that ends at 4 GiB, from its NORMAL pages; None if there is none."""
        pages = {
            one.gpa: one.file_offset
            for run in self._runs()
            for one in run.each()
            if one.mask & mask and one.data_type == PageDataType.NORMAL and not one.flags and one.gpa in _IMAGES
        }
        gpa, contents = FOUR_GIB - PAGE_SIZE, []
        while gpa in pages:
            contents.append(self.file.page(pages[gpa]))
            gpa -= PAGE_SIZE
        data = b"".join(reversed(contents))
        return FirmwareInside(data, tuple(known_tails(data, self.builds))) if data else None

    def _platform(self, one: SupportedPlatform) -> dict[str, Any]:
        technology = _TECHNOLOGIES.get(PlatformType(one.platform))
        known = self.component.platforms.get(technology or "")
        inside = self.firmware(one.mask)
        rules = {name: loader.igvm for name, loader in embedded.loaders().items() if loader.igvm}
        return {
            "platform": _name(one),
            "technology": technology,
            "mask": one.mask,
            "highest_vtl": one.highest_vtl,
            "shared_gpa_boundary": one.shared_gpa_boundary,
            "policy": _policy(known, technology),
            "contexts": [{"vcpu": c.vcpu, "gpa": c.gpa, **_vmsa(c.page)} for c in known.contexts] if known else [],
            "id_block": self._id_block(one.mask),
            "firmware": inside and inside.to_dict(),
            "differences": [each.to_dict() for each in loader_differences(self.file, one.mask, rules)]
            if technology == "sev-snp"
            else [],
        }

    def _headers(self) -> dict[str, int]:
        counts: Counter[int] = Counter()
        for kind, one in self.file.headers():
            counts[kind] += len(one.gpas) if isinstance(one, PageRun) else 1
        return {HeaderType(kind).name: count for kind, count in sorted(counts.items())}

    def _id_block(self, mask: int) -> dict[str, Any] | None:
        for _, one in self.file.headers():
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

    def _launches(self, technology: str) -> Iterator[dict[str, Any]]:
        """One of each loader; digests are those with as many vCPUs as the file has contexts, at least one."""
        for name, vmm in embedded.loaders().items():
            if technology not in vmm.technologies:
                continue
            launch = IgvmLaunch(self.component, technology, vmm)
            digest, expected = digest_of_contexts(launch), launch.platform.expected
            yield {
                "technology": technology,
                "vmm": name,
                "measurable": "no" if launch.blocker else "yes",
                "fault": launch.blocker or "",
                "vcpus": launch.vcpus_of_contexts if launch.measures_vcpus else None,
                "launch_digest": digest and digest.hex(),
                "id_block": None if expected is None or digest is None else _verdict(expected == digest),
            }

    def _memory(self) -> Iterator[dict[str, Any]]:
        """Ranges of memory that headers of all platforms name, in the order of the file."""
        areas: dict[int, int] = {}
        for _, one in self.file.headers():
            if isinstance(one, PageRun):
                yield from _ranges(one)
            elif isinstance(one, ParameterArea):
                areas[one.area] = one.size
            elif isinstance(one, ParameterInsert):
                yield _range(one.gpa, areas[one.area], f"parameter area {one.area}", one.mask)
            elif isinstance(one, RequiredMemory):
                yield _range(one.gpa, one.size, "required memory", one.mask)
            elif isinstance(one, ErrorRange):
                yield _range(one.gpa, one.size, "error range", one.mask)

    def _runs(self) -> Iterator[PageRun]:
        return (one for _, one in self.file.headers() if isinstance(one, PageRun))

    def _overlaps(self, mask: int) -> int:
        """Pages of a platform at an address where it has another one."""
        gpas = [gpa for run in self._runs() for gpa, own in zip(run.gpas, run.masks, strict=True) if own & mask]
        return len(gpas) - len(set(gpas))


def _verdict(matches: bool) -> str:
    return "matches" if matches else "differs"


def _name(one: SupportedPlatform) -> str:
    return PlatformType(one.platform).name


def _policy(known: IgvmPlatform | None, technology: str | None) -> dict[str, Any] | None:
    if known is None or known.policy is None or technology != "sev-snp":
        return None
    return {"value": f"{known.policy:#x}", **SnpPolicy.parse(known.policy).to_dict()}


def _vmsa(page: bytes) -> dict[str, Any]:
    return {name: value for name, value in SaveArea(page).to_dict().items() if name != "profiles"}


def _ranges(run: PageRun) -> Iterator[dict[str, Any]]:
    """Pages that follow one another in memory and are alike, as one range."""

    def alike(item: tuple[int, Any]) -> tuple[object, ...]:
        number, one = item
        size = PAGE_SIZE << 9 if one.flags & IS_2MB else PAGE_SIZE
        return one.gpa - number * size, one.mask, one.flags, one.data_type, not one.file_offset

    for _, some in groupby(enumerate(run.each()), alike):
        pages = [one for _, one in some]
        first = pages[0]
        words = [PageDataType(first.data_type).name, "pages"]
        words += ["without data"] if not first.file_offset else []
        words += [word for bit, word in ((UNMEASURED, "unmeasured"), (SHARED, "shared")) if first.flags & bit]
        size = len(pages) * (PAGE_SIZE << 9 if first.flags & IS_2MB else PAGE_SIZE)
        yield _range(first.gpa, size, ", ".join((" ".join(words[:2]), *words[2:])), first.mask)


def _range(gpa: int, size: int, what: str, mask: int) -> dict[str, Any]:
    return {"gpa": gpa, "size": size, "what": what, "mask": mask}
