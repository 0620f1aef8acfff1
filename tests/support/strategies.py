"""Random images, and random points of any technology, for tests that compare two ways of measuring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from random import Random
from typing import Any, TypeVar

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
from tests.support.profiles import PROFILES, TDX_PROFILES

HASHES = [KernelHashes.of(kernel=bytes([number]) * 32, append=f"quiet {number}") for number in range(3)]
KNOWN_SIGNATURES = [VcpuSignature(one) for one in (0x800F12, 0xA00F11, 0xB00F00)]
SIGNATURES = st.sampled_from(KNOWN_SIGNATURES) | st.integers(0, 0xFFFFFFFF).map(VcpuSignature)

Made = TypeVar("Made")


def seeded(make: Callable[[Random], Made]) -> st.SearchStrategy[Made]:
    """What a function makes of random numbers; hypothesis draws the seed only, and not each choice, which takes longer
    than most tests.
    """
    return st.integers(0, 1 << 64).map(lambda seed: make(Random(seed)))


def layout(random: Random, secrets_pages: int = 3) -> tuple[tuple[Section, ...], Area | None]:
    """Valid SEV metadata, in random file order, and a kernel hashes area that fits it."""
    kinds = random.choices([1, 2, 3, 4, 1], k=random.randint(1, 6))
    if random.getrandbits(1):
        kinds.append(SectionType.SNP_KERNEL_HASHES)
    gpa, sections = 0x800000, []
    for kind in kinds:
        longest = {1: 9, 2: secrets_pages, 4: 2}.get(kind, 1)
        size = PAGE * random.randint(1, longest)
        gpa += PAGE * random.randint(0, 2)
        sections.append(Section(gpa, size, kind))
        gpa += size
    area = random.choice([None, Area(0, 0), Area(0x9FFC00, 0x400)])
    if kinds[-1] == SectionType.SNP_KERNEL_HASHES:
        offset = random.choice([0, PAGE - 176, random.randint(0, PAGE - 176)])
        area = Area(sections[-1].gpa + offset, random.choice([176, PAGE - offset, random.randint(176, PAGE - offset)]))
    return tuple(random.sample(sections, len(sections))), area


def images(*, secrets_pages: int = 3) -> st.SearchStrategy[bytes]:
    """Images that SEV, SEV-ES and SEV-SNP can launch."""

    def image(random: Random) -> bytes:
        sections, area = layout(random, secrets_pages)
        return build_ovmf(
            pages=random.randint(1, 4),
            seed=random.randint(0, 9),
            reset_vector=random.choice([0x80B004, 0x80B000, 1, 0xFFFFFFFF, random.randint(1, 0xFFFFFFFF)]),
            hashes_area=area,
            sections=sections,
        )

    return seeded(image)


def points(technology: Technology) -> st.SearchStrategy[Point]:
    """Points of the technology's own type, from few values, so that neighbours often share a prefix.

    A point type with a field that is not listed here needs a choice for it.
    """
    profiles = TDX_PROFILES if technology.name == "tdx" else PROFILES
    names = sorted(n for n, p in profiles.items() if technology.name in p.technologies) or [""]
    wanted = [field.name for field in fields(technology.point_type)]

    def point(random: Random) -> Point:
        vmm = random.choice(names)
        signature = random.choice([*KNOWN_SIGNATURES, VcpuSignature(random.getrandbits(32))])
        choices: dict[str, Any] = {
            "kernel_hashes": random.choice([None, *HASHES]) if technology.takes_kernel_hashes else None,
            "vmm": profiles.get(vmm),
            "vcpu_signature": signature if vmm and profiles[vmm].measures_signature else None,
            "sev_features": random.choice([0, 0x20, 0x200]) | technology.default_sev_features,
            "vcpus": random.randint(1, 6),
        }
        made: Point = technology.point_type(**{name: choices[name] for name in wanted})
        return made

    return seeded(point)


VMSA_PAGES = st.integers(0, 1 << 32).map(lambda seed: Random(seed).randbytes(vmsa_layout.VMSA_SIZE)) | st.dictionaries(
    st.integers(0, vmsa_layout.VMSA_SIZE - 1), st.integers(0, 255)
).map(lambda some: bytes(some.get(at, 0) for at in range(vmsa_layout.VMSA_SIZE)))
"""Pages of random bytes, and pages that are zero except for a few bytes."""

_HASHES = (bytes(32), b"\1" * 32, b"\xff" * 32)

_NUMBERS = (1, 2, 10, 100, 255)

_NO_IDENTITY: dict[str, Any] = dict.fromkeys(("firmware_sha256", "firmware_snp_baseline", "base_digest"))


def _row(random: Random) -> dict[str, Any]:
    identity = [{"firmware_sha256": value} for value in _HASHES]
    identity += [{"firmware_snp_baseline": bytes(48)}, {"firmware_snp_baseline": b"\1" * 48}]
    identity += [{"base_digest": b"\1" * 48}]  # exactly one of the fields that say what a launch begins with
    return {
        **_NO_IDENTITY,
        **random.choice(identity),
        "launch_digest": random.choice([bytes(48), bytes(47) + b"\1", b"\xff" * 48]),
        "technology": random.choice(["sev", "sev-snp"]),
        "kernel_hashes_sha256": random.choice([None, *_HASHES]),
        "vmm": random.choice([None, "a", "a b", "ä", 'quo"te', "\\", "~"]),
        "bsp_vmsa_sha256": None,
        "ap_vmsa_sha256": None,
        "vcpu_signature": random.choice([None, *_NUMBERS]),
        "sev_features": random.choice([None, *_NUMBERS, (1 << 64) - 1]),
        "vcpus": random.choice([None, *_NUMBERS]),
    }


ROW = seeded(_row)
"""Rows of launch_digests.parquet with few values, so that they often agree."""


def row_table(rows: list[dict[str, Any]], size: int = 48) -> pa.Table:
    return pa.Table.from_pylist(rows, digest_schema("sev-snp", size))
