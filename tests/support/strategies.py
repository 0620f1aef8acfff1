"""Random images, and random points of any technology, for tests that compare two ways of measuring."""

from __future__ import annotations

from dataclasses import fields
from random import Random
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from catalog.abi import vmsa_layout
from catalog.abi.kernel_hashes import KernelHashes
from catalog.abi.vcpu import VcpuSignature
from catalog.firmware.metadata import Area, Section, SectionType
from catalog.launch.point import Point
from catalog.launch.technology import Technology
from catalog.rows.arrow import digest_schema
from tests.support.firmware_builder import PAGE, build_ovmf
from tests.support.profiles import PROFILES

HASHES = [KernelHashes.of(kernel=bytes([number]) * 32, append=f"quiet {number}") for number in range(3)]
SIGNATURES = st.sampled_from([0x800F12, 0xA00F11, 0xB00F00]).map(VcpuSignature) | st.integers(0, 0xFFFFFFFF).map(
    VcpuSignature
)
MORE_FEATURES = st.sampled_from([0, 0x20, 0x200])


@st.composite
def layouts(draw: st.DrawFn, *, secrets_pages: int = 3) -> tuple[tuple[Section, ...], Area | None]:
    """Valid SEV metadata, in random file order, and a kernel hashes area that fits it."""
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
    """A point of the technology's own type, from few values, so that neighbours often share a prefix.

    A point type with a field that is not listed here needs a strategy for it.
    """
    vmm = draw(st.sampled_from(sorted(n for n, p in PROFILES.items() if technology.name in p.technologies) or [""]))
    strategies: dict[str, st.SearchStrategy[Any]] = {
        "kernel_hashes": st.none() | st.sampled_from(HASHES),
        "vmm": st.builds(PROFILES.get, st.just(vmm)),
        "vcpu_signature": SIGNATURES if vmm and PROFILES[vmm].measures_signature else st.none(),
        "sev_features": MORE_FEATURES.map(lambda more: more | technology.default_sev_features),
        "vcpus": st.integers(1, 6),
    }
    chosen = {field.name: draw(strategies[field.name]) for field in fields(technology.point_type)}
    point: Point = technology.point_type(**chosen)
    return point


VMSA_PAGES = st.integers(0, 1 << 32).map(lambda seed: Random(seed).randbytes(vmsa_layout.VMSA_SIZE)) | st.dictionaries(
    st.integers(0, vmsa_layout.VMSA_SIZE - 1), st.integers(0, 255)
).map(lambda some: bytes(some.get(at, 0) for at in range(vmsa_layout.VMSA_SIZE)))
"""Pages of random bytes, and pages that are zero except for a few bytes."""

ROW_HASH = st.sampled_from([bytes(32), b"\1" * 32, b"\xff" * 32])

ROW_NUMBER = st.sampled_from([1, 2, 10, 100, 255])

_NO_IDENTITY: dict[str, Any] = dict.fromkeys(("firmware_sha256", "firmware_snp_baseline", "base_digest"))

_IDENTITY: st.SearchStrategy[dict[str, Any]] = (
    ROW_HASH.map(lambda value: _NO_IDENTITY | {"firmware_sha256": value})
    | st.sampled_from([bytes(48), b"\1" * 48]).map(lambda value: _NO_IDENTITY | {"firmware_snp_baseline": value})
    | st.just(_NO_IDENTITY | {"base_digest": b"\1" * 48})
)
"""Exactly one of the fields that say what a launch begins with."""

_REST: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "launch_digest": st.sampled_from([bytes(48), bytes(47) + b"\1", b"\xff" * 48]),
        "technology": st.sampled_from(["sev", "sev-snp"]),
        "kernel_hashes_sha256": st.none() | ROW_HASH,
        "vmm": st.none() | st.sampled_from(["a", "a b", "ä", 'quo"te', "\\", "~"]),
        "bsp_vmsa_sha256": st.none(),
        "ap_vmsa_sha256": st.none(),
        "vcpu_signature": st.none() | ROW_NUMBER,
        "sev_features": st.none() | ROW_NUMBER | st.just((1 << 64) - 1),
        "vcpus": st.none() | ROW_NUMBER,
    }
)

ROW = st.builds(lambda identity, rest: identity | rest, _IDENTITY, _REST)


def row_table(rows: list[dict[str, Any]], size: int = 48) -> pa.Table:
    return pa.Table.from_pylist(rows, digest_schema("sev-snp", size))
