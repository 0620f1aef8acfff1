"""Random images, and random points of any technology, for the tests that compare two ways of measuring."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hypothesis import strategies as st

from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.firmware.ovmf import Area, Section, SectionType
from catalog.launch.point import Point
from catalog.launch.technology import Technology
from tests.support.firmware_builder import PAGE, build_ovmf
from tests.support.profiles import PROFILES

HASHES = [KernelHashes.of(kernel=bytes([number]) * 32, append=f"quiet {number}") for number in range(3)]
SIGNATURES = st.sampled_from([0x800F12, 0xA00F11, 0xB00F00]).map(VcpuSignature) | st.integers(0, 0xFFFFFFFF).map(
    VcpuSignature
)
MORE_FEATURES = st.sampled_from([0, 0x20, 0x200])


@st.composite
def layouts(draw: st.DrawFn, *, secrets_pages: int = 3) -> tuple[tuple[Section, ...], Area | None]:
    """SEV metadata without fault, in random order of the file, and a kernel hashes area that goes with it."""
    kinds = draw(st.lists(st.sampled_from([1, 2, 3, 4, 1]), min_size=1, max_size=6))
    if draw(st.booleans()):
        kinds.append(SectionType.SNP_KERNEL_HASHES)
    gpa, sections = 0x800000, []
    for kind in kinds:
        longest = {1: 9, 2: secrets_pages, 4: 2}.get(kind, 1)
        size = PAGE * draw(st.integers(1, longest))
        gpa += PAGE * draw(st.integers(0, 2))
        sections.append(Section(gpa, size, kind))
        gpa += size
    area = draw(st.sampled_from([None, Area(0, 0), Area(0x9FFC00, 0x400)]))
    if kinds[-1] == SectionType.SNP_KERNEL_HASHES:
        offset = draw(st.integers(0, PAGE - 176))
        area = Area(sections[-1].gpa + offset, draw(st.integers(176, PAGE - offset)))
    return tuple(draw(st.permutations(sections))), area


@st.composite
def images(draw: st.DrawFn, *, secrets_pages: int = 3) -> bytes:
    """An image that SEV, SEV-ES and SEV-SNP can launch."""
    sections, area = draw(layouts(secrets_pages=secrets_pages))
    return build_ovmf(
        pages=draw(st.integers(1, 4)),
        seed=draw(st.integers(0, 9)),
        reset_vector=draw(st.sampled_from([0x80B004, 0x80B000]) | st.integers(1, 0xFFFFFFFF)),
        hashes_area=area,
        sections=sections,
    )


@st.composite
def points(draw: st.DrawFn, technology: Technology) -> Point:
    """A point of the technology's own type, from few values: neighbours often share a prefix.

    A point type with a field that is not named here needs a strategy for it.
    """
    vmm = draw(st.sampled_from(sorted(n for n, p in PROFILES.items() if technology.name in p.technologies) or [""]))
    strategies: dict[str, st.SearchStrategy[Any]] = {
        "kernel_hashes": st.none() | st.sampled_from(HASHES),
        "vmm": st.builds(PROFILES.get, st.just(vmm)),
        "vcpu_signature": SIGNATURES if vmm and PROFILES[vmm].measures_signature else st.none(),
        "sev_features": MORE_FEATURES.map(lambda more: more | (technology.default_sev_features or 0)),
        "vcpus": st.integers(1, 6),
    }
    chosen = {field.name: draw(strategies[field.name]) for field in fields(technology.point_type)}
    point: Point = technology.point_type(**chosen)
    return point
