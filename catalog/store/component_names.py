"""Writes components/names: what a lookup shows of images, kernel hashes tables, VMM profiles, vCPU types and bases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.errors import MalformedRecord
from catalog.fast.names import VERSION, WITH_BASES, WITH_BOTH, WITH_FACTS, pack_names
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.kernel_record import KernelRecord
from catalog.imports.endorsed_facts import Base
from catalog.launch.profile import VmmProfile
from catalog.launch.vcpu_types import VcpuTypes
from catalog.rows.fields import BY_NAME, FACTS

Record = list[str | None]

NEWEST = WITH_BOTH if FACTS else WITH_BASES
"""The version that is written."""

_ORIGIN = ("distribution", "suite", "package", "version", "package_sha256", "path")


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of components in an index.

    images: by SHA-256 of the image, or by its SNP baseline if that is all that is known.
    bases: by launch digest; their numbers follow those of the images.
    tables: by SHA-256 of the kernel hashes table.
    profiles: by name of the VMM profile.
    """

    images: Mapping[bytes, int]
    bases: Mapping[bytes, int]
    tables: Mapping[bytes, int]
    profiles: Mapping[str, int]


def component_names(
    builds: Iterable[FirmwareBuild],
    kernels: Iterable[KernelRecord],
    profiles: Iterable[VmmProfile],
    vcpu_types: VcpuTypes,
    technologies: Iterable[str],
    bases: Iterable[Base] = (),
    version: int = NEWEST,
) -> tuple[Numbers, bytes]:
    """The numbers of all components, in the order of their hash or name, and the contents of components/names.

    version: of that file, 1 to 4; raises MalformedRecord for another one.
    """
    if not VERSION <= version <= WITH_BOTH:
        raise MalformedRecord(f"version {version} of the component names is unknown to this ldcat")
    images, tables, grouped = defaultdict(list), defaultdict(list), defaultdict(list)
    for build in builds:
        images[build.component.key].append(build)
    for kernel in kernels:
        tables[kernel.hashes.table_sha256].append(kernel)
    for base in bases:
        grouped[base.digest].append(base)
    named = {profile.name: profile for profile in profiles}
    names = sorted(technologies)
    signatures = sorted(set(vcpu_types.by_name.values()), key=lambda signature: signature.value)
    facts = _facts if version in (WITH_FACTS, WITH_BOTH) else _no_facts
    components: tuple[tuple[str, Mapping[Any, Any]], ...] = (
        ("firmware", {key: builds[0].component for key, builds in images.items()}),
        ("kernel_hashes", {sha256: kernels[0].hashes for sha256, kernels in tables.items()}),
        ("vmm", named),
    )
    records: tuple[dict[Any, Record], ...] = (
        {key: _image(key, images[key], names, version) for key in images},
        {sha256: _table(sha256, tables[sha256]) for sha256 in tables},
        {name: _profile(named[name]) for name in named},
    )
    kinds: list[list[Record]] = [
        *(
            [[*facts(kind, known[key]), *made[key]] for key in sorted(made)]
            for (kind, known), made in zip(components, records, strict=True)
        ),
        [[str(signature.value), *vcpu_types.names(signature)] for signature in signatures],
    ]
    if version >= WITH_BASES:
        kinds.append([_base(digest, grouped[digest]) for digest in sorted(grouped)])
    numbers = Numbers(
        images=_numbers(images),
        bases=_numbers(grouped, len(images)),
        tables=_numbers(tables),
        profiles={name: number for number, name in enumerate(sorted(named))},
    )
    return numbers, pack_names(kinds, version)


def _facts(kind: str, component: Any) -> Record:
    """The number of facts of a component, then name and text of each."""
    found = [(fact.name, fact.of(component)) for fact in FACTS if fact.component == kind]
    texts = [(name, None if value is None else str(BY_NAME[name].text(value))) for name, value in found]
    return [str(len(texts)), *(one for pair in texts for one in pair)]


def _no_facts(*_: Any) -> Record:
    return []


def _numbers(components: Iterable[bytes], first: int = 0) -> dict[bytes, int]:
    return {key: number for number, key in enumerate(sorted(components), first)}


def _image(key: bytes, builds: Sequence[FirmwareBuild], technologies: Sequence[str], version: int) -> Record:
    record: Record = [key.hex(), str(len(technologies)), *technologies]
    for build in sorted(builds, key=lambda build: build.name):
        component = build.component
        size = None if component.size is None else str(component.size)
        record += [build.name, _hex(component.sha384), size, component.kernel_hashes_enforced.value]
        if version >= WITH_BASES:
            record += [_hex(component.sha256), _hex(component.snp_baseline), component.firmware_version]
        record += [getattr(build.origin, name, None) for name in _ORIGIN]
        for technology in technologies:
            found = build.launchability(technology)
            record += [found.verdict, found.reason, found.source]
    return record


def _profile(profile: VmmProfile) -> Record:
    hosted = profile.wire.hosted
    return [profile.name, profile.wire.title, *([] if hosted is None else [hosted])]


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _base(digest: bytes, bases: Sequence[Base]) -> Record:
    record: Record = [digest.hex()]
    for base in sorted(bases, key=lambda base: base.label):
        by = base.endorser
        svn = None if by.svn is None else str(by.svn)
        record += [base.label, str(base.vcpus), by.scheme, by.id, by.feed, svn]
    return record


def _table(sha256: bytes, kernels: Sequence[KernelRecord]) -> Record:
    record: Record = [sha256.hex()]
    for kernel in sorted(kernels, key=lambda kernel: kernel.name):
        hashes = kernel.hashes
        record += [kernel.name, hashes.kernel.hex(), hashes.initrd.hex(), hashes.cmdline.hex(), kernel.append]
    return record
