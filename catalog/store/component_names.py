"""The file of names is filled: what a lookup says about images, kernel hashes tables, VMM profiles and vCPU types."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from catalog.errors import MalformedRecord
from catalog.fast.names import VERSION, pack_names
from catalog.firmware.build import FirmwareBuild
from catalog.launch.profile import VmmProfile
from catalog.launch.vcpu_types import VcpuTypes
from catalog.spec.kernel_record import KernelRecord

Record = list[str | None]

FORMATS = {VERSION: pack_names}
"""What makes the file of each version that there was: names of a release are checked under the version they have."""

_ORIGIN = ("distribution", "suite", "package", "version", "package_sha256", "path")


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers that components have in an index: by SHA-256 of the image, of the table, by name of the profile."""

    images: Mapping[bytes, int]
    tables: Mapping[bytes, int]
    profiles: Mapping[str, int]


def component_names(
    builds: Iterable[FirmwareBuild],
    kernels: Iterable[KernelRecord],
    profiles: Iterable[VmmProfile],
    vcpu_types: VcpuTypes,
    technologies: Iterable[str],
    version: int = VERSION,
) -> tuple[Numbers, bytes]:
    """The numbers of all components, in the order of their hash or name, and the file of their names.

    version: of that file; raises MalformedRecord for one that is not known.
    """
    if version not in FORMATS:
        raise MalformedRecord(f"version {version} of the names of components is not known here")
    images, tables = defaultdict(list), defaultdict(list)
    for build in builds:
        images[build.component.sha256].append(build)
    for kernel in kernels:
        tables[kernel.hashes.table_sha256].append(kernel)
    named = {profile.name: profile for profile in profiles}
    names = sorted(technologies)
    signatures = sorted(set(vcpu_types.by_name.values()), key=lambda signature: signature.value)
    file = FORMATS[version](
        [
            [_image(sha256, images[sha256], names) for sha256 in sorted(images)],
            [_table(sha256, tables[sha256]) for sha256 in sorted(tables)],
            [[name, named[name].wire.title] for name in sorted(named)],
            [[str(signature.value), *vcpu_types.names(signature)] for signature in signatures],
        ]
    )
    return Numbers(_numbers(images), _numbers(tables), {name: n for n, name in enumerate(sorted(named))}), file


def _numbers(components: Iterable[bytes]) -> dict[bytes, int]:
    return {sha256: number for number, sha256 in enumerate(sorted(components))}


def _image(sha256: bytes, builds: Sequence[FirmwareBuild], technologies: Sequence[str]) -> Record:
    record: Record = [sha256.hex(), str(len(technologies)), *technologies]
    for build in sorted(builds, key=lambda build: build.name):
        component = build.component
        record += [build.name, component.sha384.hex(), str(component.size), component.kernel_hashes_enforced.value]
        record += [getattr(build.origin, name, None) for name in _ORIGIN]
        for technology in technologies:
            found = build.launchability(technology)
            record += [found.verdict, found.reason, found.source]
    return record


def _table(sha256: bytes, kernels: Sequence[KernelRecord]) -> Record:
    record: Record = [sha256.hex()]
    for kernel in sorted(kernels, key=lambda kernel: kernel.name):
        hashes = kernel.hashes
        record += [kernel.name, hashes.kernel.hex(), hashes.initrd.hex(), hashes.cmdline.hex(), kernel.append]
    return record
