"""The baseline of an explanation: the expected configuration, the rows of a catalog, or the embedded default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.ask.igvm.opened_igvm import OpenedIgvm
from catalog.ask.measure import Measured, Workbench
from catalog.ask.measure_request import parse_request
from catalog.errors import MalformedRecord, UsageError
from catalog.explain.candidate_kernels import Kernel, KernelFiles, kernel_of_record
from catalog.explain.igvm_hit import IgvmHit
from catalog.files import inputs
from catalog.firmware.build import FirmwareBuild
from catalog.launch.profile import VmmProfile
from catalog.spec import embedded, named_builds
from catalog.spec.catalog_spec import load_spec
from catalog.store.catalog import Catalog
from catalog.store.catalog_axes import read_axes

MAX_FILES = 1000
"""Limit for the files in folders of kernels or initrds."""

EXPECTATION = "expectation"

_EXPECTED_FORM = "give what `ldcat measure --format json` prints: docs/command-line.md lists the fields"


@dataclass(frozen=True, slots=True)
class Baseline:
    """The expected values of each axis; any combination may have been launched.

    An empty vmms, signatures or vcpus stands for all known values.

    source: where the values come from, for people.
    technologies: names.
    firmware: builds.
    kernels: None is a launch without kernel hashes.
    vmms: names of VMM profiles.
    signatures: vCPU signatures.
    sev_features: 64 bits each.
    vcpus: vCPU counts.
    igvm: the launch that is expected, if it is from an IGVM file; then only kernels has other values.
    """

    source: str
    technologies: Sequence[str]
    firmware: Sequence[FirmwareBuild]
    kernels: Sequence[Kernel | None]
    vmms: Sequence[str] = ()
    signatures: Sequence[VcpuSignature] = ()
    sev_features: Sequence[int] = ()
    vcpus: Sequence[int] = ()
    igvm: IgvmHit | None = None


@dataclass(frozen=True, slots=True)
class KnownInputs:
    """All values that may have been launched: those of the user, of a catalog, and those that ship with ldcat.

    builds, kernels, profiles: all of them.
    firmware, files: those of the user, which are likely to have been launched.
    igvm: IGVM files, those of the user first. loaders: of them.
    """

    builds: Sequence[FirmwareBuild]
    kernels: Sequence[Kernel]
    profiles: Mapping[str, VmmProfile]
    firmware: Sequence[FirmwareBuild]
    files: KernelFiles
    igvm: Sequence[FirmwareBuild] = ()
    loaders: Mapping[str, VmmProfile] = field(default_factory=embedded.loaders)


def collect_known(
    catalog: Catalog | None,
    *,
    firmware: Sequence[str] = (),
    kernels: Sequence[Path] = (),
    initrds: Sequence[Path] = (),
    appends: Sequence[str] = (),
) -> KnownInputs:
    """The known values: the user's first, then the catalog's, then those that ship with ldcat.

    firmware: names or files.
    kernels, initrds: files, or folders of files.
    appends: command lines.

    Raises UsageError for too many files, Unreadable, and the errors of `named_builds.find_build`.
    """
    own = [] if catalog is None else [build for build in catalog.builds.values() if not build.is_igvm]
    builds = {build.name: build for build in (*own, *embedded.builds().values())}
    of_igvm = {} if catalog is None else {name: one for name, one in catalog.builds.items() if one.is_igvm}
    opened = {name: OpenedIgvm.of(name, {**builds, **of_igvm}) for name in firmware}
    given = [named_builds.find_build(name, builds) for name, igvm in opened.items() if not igvm]
    igvm = [one.build for one in opened.values() if one]
    files = KernelFiles(_hashed(kernels), _hashed(initrds), appends)
    records = [] if catalog is None else [_kernel_of_row(row[0]) for row in catalog.kernel_hashes.values()]
    records += [kernel_of_record(record) for record in embedded.kernels().values()]
    of_catalog = {} if catalog is None else catalog.profiles
    profiles = {**embedded.profiles(), **{name: one for name, one in of_catalog.items() if not one.igvm}}
    all_igvm = {one.component.key: one for one in reversed([*igvm, *of_igvm.values()])}  # one for each file
    return KnownInputs(
        [*given, *builds.values()],
        [*files.together(), *records],
        profiles,
        given,
        files,
        tuple(reversed(all_igvm.values())),
        {**embedded.loaders(), **{name: one for name, one in of_catalog.items() if one.igvm}},
    )


def baseline_of_files(base: Baseline, known: KnownInputs) -> Baseline | None:
    """A baseline with the user's firmware and kernels in place of those of `base`; None if the user gave neither."""
    mine = known.files.together() or known.files.with_parts_of([kernel for kernel in base.kernels if kernel])
    if not known.firmware and not mine:
        return None
    return replace(base, source="files given", firmware=known.firmware or base.firmware, kernels=mine or base.kernels)


def expected_baseline(measured: Measured, name: str, append: str | None) -> Baseline:
    """The baseline of one expected configuration. name: of its kernel. append: its command line; None if unknown."""
    config = measured.config
    return Baseline(
        EXPECTATION,
        [config.technology],
        [measured.build],
        [Kernel(name, config.kernel_hashes, append) if config.kernel_hashes else None],
        vmms=[config.vmm.name] if config.vmm else [],
        signatures=[config.vcpu_signature] if config.vcpu_signature else [],
        sev_features=[] if config.sev_features is None else [config.sev_features],
        vcpus=[] if config.vcpus is None else [config.vcpus],
    )


def expectation(line: bytes, known: KnownInputs) -> Baseline:
    """The baseline of one expected configuration. line: a line of a batch, or the JSON of `ldcat measure`.

    Raises MalformedRecord for what is none, and the errors of `Workbench.measure`.
    """
    try:
        request = parse_request(line)
    except MalformedRecord as error:
        raise MalformedRecord(f"the expectation cannot be read: {error}", _EXPECTED_FORM) from error
    measured = Workbench({build.name: build for build in (*known.builds, *known.igvm)}).measure(request)
    if not isinstance(measured, Measured):
        build, hashes = measured.opened.build, measured.launch.kernel_hashes
        kernels = [Kernel(request.kernel_hashes or "the expected kernel", hashes, measured.append)] if hashes else []
        hit = IgvmHit(build, measured.config(), kernels[0].label if kernels else "none")
        return Baseline(EXPECTATION, [request.technology], [], kernels, igvm=hit)
    hashes = measured.config.kernel_hashes
    named = next((kernel for kernel in known.kernels if kernel.hashes == hashes), None)
    name = request.kernel_hashes or request.kernel or (named.label if named else "the kernel given")
    append = measured.append
    return expected_baseline(measured, name, append if append is not None or named is None else named.append)


def baseline_of_catalog(catalog: Catalog, technologies: Iterable[str]) -> Baseline:
    """The baseline of a catalog: all its values on each axis, for some technologies.

    Raises VerificationFailed for a damaged catalog.
    """
    names = list(technologies)
    of_igvm = {build.component.key.hex() for build in catalog.builds.values() if build.is_igvm}
    groups = [one for one in read_axes(catalog, names) if not one.is_base and one.identity not in of_igvm]
    images = {group.identity for group in groups}
    tables = {group.kernel_hashes for group in groups}
    rows = {sha256.hex(): _kernel_of_row(rows[0]) for sha256, rows in catalog.kernel_hashes.items()}
    return Baseline(
        "catalog",
        [name for name in names if name in catalog.manifest.technologies],
        [build for build in catalog.builds.values() if build.component.key.hex() in images],
        [None if table is None else rows[table] for table in sorted(tables, key=lambda table: table or "")],
        vmms=sorted({group.vmm for group in groups if group.vmm is not None}),
        signatures=sorted({VcpuSignature(value) for group in groups for value in group.signatures}),
        sev_features=sorted({value for group in groups for value in group.features}),
        vcpus=sorted({value for group in groups for value in group.counts}),
    )


def baseline_of_default(technologies: Iterable[str]) -> Baseline:
    """The baseline of the embedded default spec, used if there is neither a catalog nor an expectation."""
    spec = load_spec(None)
    names = [name for name in technologies if name in spec.axes]
    axes = [spec.axes[name] for name in names]
    return Baseline(
        "embedded default",
        names,
        spec.builds,
        [kernel_of_record(record) if record else None for record in spec.kernels],
        vmms=sorted({profile.name for each in axes for profile in each.vmm}),
        signatures=sorted({signature for each in axes for signature in each.vcpu_signatures}),
        sev_features=sorted({value for each in axes for value in each.sev_features}),
        vcpus=sorted({value for each in axes for value in each.vcpus}),
    )


def _hashed(paths: Sequence[Path]) -> dict[str, bytes]:
    """SHA-256 by path, of files and of the files in folders; raises Unreadable, UsageError for too many files."""
    files: list[Path] = []
    for path in paths:
        try:
            files += sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
        except OSError as error:
            raise inputs.unreadable(path, error) from error
    if len(files) > MAX_FILES:
        raise UsageError(f"{len(files)} files are more than {MAX_FILES}", "give only kernels that may have been booted")
    return {str(file): inputs.hash_file(file, regular=True) for file in files}


def _kernel_of_row(row: Mapping[str, Any]) -> Kernel:
    """The kernel of a row in a catalog's table of kernel hashes."""
    hashes = KernelHashes(row["kernel_sha256"], row["initrd_sha256"], row["cmdline_sha256"])
    return Kernel(row["name"], hashes, row["append"])
