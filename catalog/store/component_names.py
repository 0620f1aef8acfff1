"""Writes components/names: what a lookup shows of images, kernel hashes tables, VMM profiles and vCPU types."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.errors import MalformedRecord
from catalog.fast.names import VERSION, WITH_FACTS, pack_names
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.kernel_record import KernelRecord
from catalog.launch.profile import VmmProfile
from catalog.launch.vcpu_types import VcpuTypes
from catalog.rows.fields import BY_NAME, FACTS

Record = list[str | None]

NEWEST = WITH_FACTS if FACTS else VERSION
"""The version that is written: version 1 as long as rows have no facts."""

_ORIGIN = ("distribution", "suite", "package", "version", "package_sha256", "path")


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of components in an index.

    images: by SHA-256 of the image.
    tables: by SHA-256 of the kernel hashes table.
    profiles: by name of the VMM profile.
    """

    images: Mapping[bytes, int]
    tables: Mapping[bytes, int]
    profiles: Mapping[str, int]


def component_names(
    builds: Iterable[FirmwareBuild],
    kernels: Iterable[KernelRecord],
    profiles: Iterable[VmmProfile],
    vcpu_types: VcpuTypes,
    technologies: Iterable[str],
    version: int = NEWEST,
) -> tuple[Numbers, bytes]:
    """The numbers of all components, in the order of their hash or name, and the contents of components/names.

    version: of that file, 1 or 2; raises MalformedRecord for another one.
    """
    if version not in (VERSION, WITH_FACTS):
        raise MalformedRecord(f"version {version} of the component names is unknown to this ldcat")
    images, tables = defaultdict(list), defaultdict(list)
    for build in builds:
        images[build.component.key].append(build)
    for kernel in kernels:
        tables[kernel.hashes.table_sha256].append(kernel)
    named = {profile.name: profile for profile in profiles}
    names = sorted(technologies)
    signatures = sorted(set(vcpu_types.by_name.values()), key=lambda signature: signature.value)
    facts = _facts if version == WITH_FACTS else _no_facts
    components: tuple[tuple[str, Mapping[Any, Any]], ...] = (
        ("firmware", {sha256: builds[0].component for sha256, builds in images.items()}),
        ("kernel_hashes", {sha256: kernels[0].hashes for sha256, kernels in tables.items()}),
        ("vmm", named),
    )
    records: tuple[dict[Any, Record], ...] = (
        {sha256: _image(sha256, images[sha256], names) for sha256 in images},
        {sha256: _table(sha256, tables[sha256]) for sha256 in tables},
        {name: _profile(named[name]) for name in named},
    )
    file = pack_names(
        [
            *(
                [[*facts(kind, known[key]), *made[key]] for key in sorted(made)]
                for (kind, known), made in zip(components, records, strict=True)
            ),
            [[str(signature.value), *vcpu_types.names(signature)] for signature in signatures],
        ],
        version,
    )
    return Numbers(_numbers(images), _numbers(tables), {name: n for n, name in enumerate(sorted(named))}), file


def _facts(kind: str, component: Any) -> Record:
    """The number of facts of a component, then name and text of each."""
    found = [(fact.name, fact.of(component)) for fact in FACTS if fact.component == kind]
    texts = [(name, None if value is None else str(BY_NAME[name].text(value))) for name, value in found]
    return [str(len(texts)), *(one for pair in texts for one in pair)]


def _no_facts(*_: Any) -> Record:
    return []


def _numbers(components: Iterable[bytes]) -> dict[bytes, int]:
    return {sha256: number for number, sha256 in enumerate(sorted(components))}


def _image(sha256: bytes, builds: Sequence[FirmwareBuild], technologies: Sequence[str]) -> Record:
    record: Record = [sha256.hex(), str(len(technologies)), *technologies]
    for build in sorted(builds, key=lambda build: build.name):
        component = build.component
        sha384 = None if component.sha384 is None else component.sha384.hex()
        record += [build.name, sha384, str(component.size), component.kernel_hashes_enforced.value]
        record += [getattr(build.origin, name, None) for name in _ORIGIN]
        for technology in technologies:
            found = build.launchability(technology)
            record += [found.verdict, found.reason, found.source]
    return record


def _profile(profile: VmmProfile) -> Record:
    hosted = profile.wire.hosted
    return [profile.name, profile.wire.title, *([] if hosted is None else [hosted])]


def _table(sha256: bytes, kernels: Sequence[KernelRecord]) -> Record:
    record: Record = [sha256.hex()]
    for kernel in sorted(kernels, key=lambda kernel: kernel.name):
        hashes = kernel.hashes
        record += [kernel.name, hashes.kernel.hex(), hashes.initrd.hex(), hashes.cmdline.hex(), kernel.append]
    return record
