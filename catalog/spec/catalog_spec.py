"""CatalogSpec: the components, axes and constraints of a catalog, from a strictly decoded TOML file (docs/spec.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from catalog.abi.vcpu import VcpuSignature
from catalog.errors import MalformedRecord, UsageError
from catalog.fast.index import MAX_DISTINGUISHED_BITS
from catalog.files import inputs
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.kernel_record import KernelRecord
from catalog.launch.point import VmmPoint
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import Technology, technology_named
from catalog.launch.vcpu_types import VcpuTypes
from catalog.rows.launch_base import LaunchBase
from catalog.rows.numbers import parse_counts, parse_number
from catalog.spec import embedded, named_builds
from catalog.spec.bases import spec_bases
from catalog.spec.constraints import Constraint, Names, signatures
from catalog.spec.joined_builds import joined_builds
from catalog.spec.selecting import matching_files, selected
from catalog.spec.spec_kernels import read_kernels
from catalog.spec.spec_wire import NO_KERNEL, AxesWire, FirmwareWire, ImportsWire, SpecWire
from catalog.wire import decode_json, decode_toml

if TYPE_CHECKING:
    from catalog.imports.endorsed_facts import Base
    from catalog.rows.endorsed_record import EndorsedRecord

MAX_CONSTRAINTS = 1000
"""Most constraints of one spec; each may list thousands of values."""


@dataclass(frozen=True, slots=True)
class Axes:
    """The values of each axis of one technology, ascending, each once.

    distinguished_bits: 0 if every digest is kept.
    """

    vmm: tuple[VmmProfile, ...]
    vcpu_signatures: tuple[VcpuSignature, ...]
    sev_features: tuple[int, ...]
    vcpus: tuple[int, ...]
    distinguished_bits: int

    @property
    def image_vmms(self) -> tuple[VmmProfile, ...]:
        """The profiles of VMMs that launch firmware images."""
        return tuple(one for one in self.vmm if not one.igvm)

    @property
    def loaders(self) -> tuple[VmmProfile, ...]:
        """The profiles of VMMs that launch IGVM files."""
        return tuple(one for one in self.vmm if one.igvm)


@dataclass(frozen=True, slots=True)
class CatalogSpec:
    """A spec, with all builds, tables and profiles that it names.

    text: the spec as canonical JSON, which does not depend on the order in which it was written.
    kernels: None is a launch without a kernel hashes table.
    endorsed, documents: as in SpecImports; empty for the spec of a catalog, which keeps them in other files.
    bases: published launch digests, each with its own VMM; of the axes they take the vCPU counts alone.
    notes: as in SpecImports.
    """

    name: str
    text: str
    builds: tuple[FirmwareBuild, ...]
    kernels: tuple[KernelRecord | None, ...]
    axes: Mapping[str, Axes]
    constraints: tuple[Constraint, ...]
    endorsed: tuple[EndorsedRecord, ...] = ()
    documents: Mapping[str, bytes] = field(default_factory=dict)
    bases: tuple[LaunchBase, ...] = ()
    notes: tuple[str, ...] = ()


def load_spec(path: Path | None) -> CatalogSpec:
    """Read a spec file, or the embedded default for None.

    Raises MalformedRecord, UnknownName, UsageError, Unreadable or MalformedFirmware, naming the key, name or file.
    """
    text = embedded.default_spec_text() if path is None else inputs.read_text(path)
    folder = Path() if path is None else path.parent
    wire = _in_order(decode_toml(text, SpecWire, "the embedded spec" if path is None else str(path)))
    if len(wire.together) > MAX_CONSTRAINTS:
        raise UsageError(
            f"{len(wire.together):,} constraints are more than {MAX_CONSTRAINTS:,}", "list values together"
        )
    types = embedded.vcpu_types()
    builds = _builds(wire.firmware, folder)
    kernels = read_kernels(wire.kernel_hashes, folder)
    names = _names(builds, kernels)
    if not wire.technologies:
        raise MalformedRecord(f"spec {wire.name!r} names no technology", "add a table such as [technologies.sev-snp]")
    return CatalogSpec(
        name=wire.name,
        text=msgspec.json.format(msgspec.json.encode(wire, order="sorted"), indent=2).decode("utf-8") + "\n",
        builds=builds,
        kernels=kernels,
        axes=_all_axes(wire, embedded.all_profiles(), types, builds),
        constraints=tuple(Constraint.of(rule, types, names) for rule in wire.together),
        **_imports(wire.imports, folder),
    )


def parse_spec(
    text: bytes,
    builds: Sequence[FirmwareBuild],
    kernels: Sequence[KernelRecord],
    profiles: Mapping[str, VmmProfile],
    types: VcpuTypes,
    bases: Sequence[Base] = (),
) -> CatalogSpec:
    """The spec that a catalog was built from, with the catalog's own components.

    Raises MalformedRecord, UnknownName or UsageError if they do not match.
    """
    wire = decode_json(text, SpecWire, "the spec of the catalog")
    without: list[KernelRecord | None] = [None] if NO_KERNEL in wire.kernel_hashes.tables else []
    names = Names({}, [])  # its names were checked when it was built
    return CatalogSpec(
        name=wire.name,
        text=text.decode("utf-8"),
        builds=tuple(builds),
        kernels=(*without, *kernels),
        axes=_all_axes(wire, profiles, types, builds),
        constraints=tuple(Constraint.of(rule, types, names) for rule in wire.together),
        bases=spec_bases(bases, profiles, types),
    )


def _in_order(wire: SpecWire) -> SpecWire:
    """The spec with every list in ascending order: the order in the file has no meaning."""

    def ordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: ordered(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return sorted((ordered(inner) for inner in value), key=lambda v: msgspec.json.encode(v, order="sorted"))
        return value

    return msgspec.convert(ordered(msgspec.to_builtins(wire)), SpecWire)


def _names(builds: Sequence[FirmwareBuild], kernels: Sequence[KernelRecord | None]) -> Names:
    """Names that constraints may use: everything embedded, and what the spec adds."""
    images: dict[bytes, set[str]] = {}
    for build in builds:
        images.setdefault(build.component.key, set()).add(build.name)
    tables: dict[bytes, set[str]] = {}
    for kernel in kernels:
        if kernel:
            tables.setdefault(kernel.hashes.table_sha256, set()).add(kernel.name)
    same = [("firmware", group) for group in images.values()] + [("kernel_hashes", group) for group in tables.values()]
    by_kind = {
        "firmware": {*embedded.builds(), *(build.name for build in builds)},
        "kernel_hashes": {NO_KERNEL, *embedded.kernels(), *(kernel.name for kernel in kernels if kernel)},
        "vmm": set(embedded.all_profiles()),
    }
    return Names(by_kind, same)


def _builds(wire: FirmwareWire, folder: Path) -> tuple[FirmwareBuild, ...]:
    builds = selected("build", wire.builds, embedded.builds())
    found: set[str] = set()
    for pattern in wire.files:
        found |= set(matching_files(pattern, folder, "firmware file"))
    # the name is written to the catalog, where an absolute path of this machine does not belong
    for path in sorted(found):
        builds.append(named_builds.any_build_of_file(folder / path, _name_of(path)))
    if not builds:
        raise MalformedRecord("the spec selects no firmware", "name builds or files under [firmware]")
    builds = joined_builds(builds)
    names = [build.name for build in builds]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"two builds of the spec have the name {min(twice)!r}")
    return tuple(sorted(builds, key=lambda build: build.name))


def _name_of(path: str) -> str:
    package, colon, inner = path.partition(":")
    return f"{Path(package).name}{colon}{inner}" if Path(path).is_absolute() else path


def _imports(wire: ImportsWire | UnsetType, folder: Path) -> dict[str, Any]:
    if wire is UNSET:
        return {}
    from catalog.spec.spec_imports import load_imports  # cryptography takes long to load

    found = load_imports(wire, folder)
    bases = spec_bases(found.bases, embedded.profiles(), embedded.vcpu_types())
    return {"endorsed": found.endorsed, "documents": found.documents, "bases": bases, "notes": found.notes}


def _all_axes(
    wire: SpecWire, profiles: Mapping[str, VmmProfile], types: VcpuTypes, builds: Sequence[FirmwareBuild]
) -> Mapping[str, Axes]:
    return {
        technology_named(name).name: _axes(name, axes, _launching(name, axes, profiles, builds), types)
        for name, axes in wire.technologies.items()
    }


def _launching(
    technology: str, wire: AxesWire, profiles: Mapping[str, VmmProfile], builds: Sequence[FirmwareBuild]
) -> Mapping[str, VmmProfile]:
    """The profiles that a technology may name: of VMMs that launch firmware images, IGVM files, or both.

    Those of images count only where the technology measures the VMM. Raises MalformedRecord for the name of another.
    """
    known = technology_named(technology)
    of_igvm = any(build.is_igvm for build in builds)
    of_images = known.measures_vmm and not all(build.is_igvm for build in builds)
    for name in wire.vmm:
        if name not in profiles or _is_asked(profiles[name], known, of_images=of_images, of_igvm=of_igvm):
            continue
        where = f"technologies.{technology}: vmm: {name}"
        if _launches_tds(profiles[name]) != (known.point_type is VmmPoint):
            names = [one.name for one in profiles.values() if technology in one.technologies]
            raise MalformedRecord(f"{where} does not launch {technology}", f"one of: {', '.join(names)}")
        what = "IGVM files" if profiles[name].igvm else "firmware images"
        if not profiles[name].igvm and not known.measures_vmm:
            raise MalformedRecord(
                f"{where} launches {what}, whose {technology} digests depend on no VMM", "leave it out"
            )
        raise MalformedRecord(
            f"{where} launches {what}, and the spec names none", f"name {what} under [firmware], or leave it out"
        )
    return {name: one for name, one in profiles.items() if _is_asked(one, known, of_images=of_images, of_igvm=of_igvm)}


def _is_asked(profile: VmmProfile, technology: Technology, *, of_images: bool, of_igvm: bool) -> bool:
    """Whether a technology may name a profile, by what it launches."""
    if _launches_tds(profile) != (technology.point_type is VmmPoint):
        return False
    return of_igvm if profile.igvm else of_images or not of_igvm


def _launches_tds(profile: VmmProfile) -> bool:
    return profile.tdx is not None


def _axes(technology: str, wire: AxesWire, profiles: Mapping[str, VmmProfile], types: VcpuTypes) -> Axes:
    where = f"technologies.{technology}"
    axes = Axes(
        vmm=tuple(selected("VMM profile", wire.vmm, profiles)),
        vcpu_signatures=tuple(sorted(signatures(wire.vcpu_signatures, types))),
        sev_features=tuple(sorted({parse_number(value) for value in wire.sev_features})),
        vcpus=tuple(sorted(parse_counts(wire.vcpus))),
        distinguished_bits=_distinguished_bits(technology, wire.distinguished_bits),
    )
    measured = {field for field in Axes.__slots__ if getattr(axes, field)} - {"distinguished_bits"}
    wanted = _wanted(technology, axes)
    if missing := wanted - measured:
        raise MalformedRecord(f"{where}: no {min(missing)}", f"{technology} measures it; list its values")
    if extra := measured - wanted - ({"vcpu_signatures"} if "vcpus" in wanted else set()):
        who = "the loaders named in vmm do" if axes.loaders and technology != "sev" else f"{technology} does"
        raise MalformedRecord(f"{where}: {min(extra)} given", f"{who} not measure it")
    return axes


def _wanted(technology: str, axes: Axes) -> set[str]:
    """The axes that a technology measures under the VMMs of a spec."""
    measured = technology_named(technology).measured_fields
    wanted = {"vmm"} if axes.loaders else {"vmm", "sev_features", "vcpus"} & measured
    if axes.image_vmms:
        wanted |= {"sev_features", "vcpus"} & measured
    if any(vmm.igvm and vmm.igvm.resets_other_vcpus for vmm in axes.vmm):
        wanted |= {"vcpus"} & measured
    if "vcpus" in wanted and any(vmm.measures_signature for vmm in axes.vmm):
        wanted.add("vcpu_signatures")
    return wanted


def _distinguished_bits(technology: str, bits: int) -> int:
    where = f"technologies.{technology}: distinguished_bits"
    if not 0 <= bits <= MAX_DISTINGUISHED_BITS:
        raise MalformedRecord(f"{where} {bits} is not between 0 and {MAX_DISTINGUISHED_BITS}")
    if bits and not technology_named(technology).digest_is_state:
        raise MalformedRecord(
            f"{where} given", f"a {technology} digest is not a state from which a launch can continue"
        )
    return bits
