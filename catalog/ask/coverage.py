"""Coverage: which rows a catalog has of each image, and why it has none of some kinds of launches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.abi.vcpu import VcpuSignature
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.igvm.igvm_component import IgvmComponent
from catalog.launch.igvm.igvm_launch import IgvmLaunch
from catalog.launch.launchability import launchability
from catalog.launch.point import FirmwarePoint, Point, VcpuPoint, VmmPoint
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import Technology, technology_named
from catalog.store.catalog import Catalog
from catalog.store.catalog_axes import read_axes
from catalog.store.images import Image, images

NOT_ASKED_FOR = "the spec of the catalog leaves it out"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of launch.

    technology: name.
    vmm: name of the VMM profile; None for a technology that measures no vCPU.
    kernel_hashes: with or without them.
    """

    technology: str
    vmm: str | None
    kernel_hashes: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """The rows of one image and one kind of launch.

    rows: how many there are.
    vcpus: their vCPU counts, ascending.
    reason: why there are none; empty if there are rows.
    launchable: yes, no or unknown, for the image, the technology and the VMM.
    """

    rows: int
    vcpus: tuple[int, ...]
    reason: str
    launchable: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """The coverage of a catalog as a table.

    kinds: the columns.
    rows: each image, in order, with one cell for each kind.
    """

    kinds: Sequence[Kind]
    rows: Sequence[tuple[Image, Sequence[Cell]]]

    def reasons(self) -> list[str]:
        """Each reason that occurs, once, in the order of the cells."""
        return list(dict.fromkeys(cell.reason for _, cells in self.rows for cell in cells if cell.reason))


def coverage(catalog: Catalog) -> Coverage:
    """The coverage of a catalog, from indexes and components: no row is read. Rows that follow from bases are left out.

    Raises VerificationFailed for a damaged catalog.
    """
    count: defaultdict[tuple[str, Kind], int] = defaultdict(int)
    vcpus: defaultdict[tuple[str, Kind], set[int]] = defaultdict(set)
    for axes in read_axes(catalog, catalog.manifest.known):
        if axes.is_base:
            continue
        place = axes.identity, Kind(axes.technology, axes.vmm, axes.kernel_hashes is not None)
        count[place] += axes.rows
        vcpus[place].update(axes.counts)
    kinds = sorted({kind for _, kind in count}, key=lambda kind: (kind.technology, kind.vmm or "", kind.kernel_hashes))
    builds = {build.component.key.hex(): build for build in catalog.builds.values()}
    why = _Reasons(catalog)
    found = []
    for image in images((key.hex() for key in catalog.firmware), [catalog]):
        build = builds[image.key]
        cells = [
            Cell(
                rows=count.get((image.key, kind), 0),
                vcpus=tuple(sorted(vcpus.get((image.key, kind), ()))),
                reason="" if (image.key, kind) in count else why.of(build, kind),
                launchable=launchability(
                    build, kind.technology, catalog.profiles[kind.vmm] if kind.vmm else None
                ).verdict,
            )
            for kind in kinds
        ]
        found.append((image, cells))
    return Coverage(kinds, found)


class _Reasons:
    """Why an image has no rows of a kind: the technology cannot launch it so, or the spec leaves it out."""

    def __init__(self, catalog: Catalog) -> None:
        self._profiles = catalog.profiles
        self._table = next(iter(catalog.tables.values()), None)

    def of(self, build: FirmwareBuild, kind: Kind) -> str:
        technology = technology_named(kind.technology)
        if isinstance(build.component, IgvmComponent):
            return self._of_igvm(build.component, kind) or NOT_ASKED_FOR
        refused = technology.firmware_blocker(build.image) or technology.launch_blocker(
            build.image, self._point(technology, kind)
        )
        return refused or NOT_ASKED_FOR

    def _of_igvm(self, image: IgvmComponent, kind: Kind) -> str | None:
        """As `of`, for any kernel and any vCPUs."""
        if kind.vmm is None:
            return "the digest of an IGVM file depends on its loader"
        table = self._table if kind.kernel_hashes else None
        return IgvmLaunch(image, kind.technology, self._profiles[kind.vmm], table).blocker

    def _point(self, technology: Technology, kind: Kind) -> Point:
        """Any launch of that kind: the other measured values never decide whether an image can launch."""
        table = self._table if kind.kernel_hashes else None
        if kind.vmm is None:
            return FirmwarePoint(table)
        profile: VmmProfile = self._profiles[kind.vmm]
        if technology.point_type is VmmPoint:
            return VmmPoint(table, profile)
        signature = VcpuSignature(0) if profile.measures_signature else None
        return VcpuPoint(table, profile, signature, technology.default_sev_features, 1)
