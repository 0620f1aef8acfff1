"""The columns of launch digests that say VMSA pages by hash, compared with the pages that their inputs give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from catalog.abi.vcpu import VcpuSignature
from catalog.errors import LdcatError
from catalog.firmware.component import FirmwareComponent
from catalog.launch.point import VcpuPoint
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import technology_named
from catalog.launch.vmsa_updates import vmsa_page_hashes
from catalog.store import manifest
from catalog.store.components import Components
from catalog.store.parquet import read_parquet

_INPUTS = ("firmware_sha256", "vmm", "vcpu_signature", "sev_features")
_PAGES = ("bsp_vmsa_sha256", "ap_vmsa_sha256")


def vmsa_faults(components: Components) -> Iterator[str]:
    """A line for each part and combination that is false. Parts that are no tables, and rows of components that the
    catalog lacks, are found elsewhere.
    """
    images = {build.component.sha256: build.component for build in components.builds}
    profiles = {profile.name: profile for profile in components.profiles.values()}
    for technology, entry in components.manifest.technologies.items():
        for name in manifest.part_names(technology, entry.parts):
            for *inputs, alone, bsp, ap in _combinations(components, technology, name):
                firmware, vmm = images.get(inputs[0]), profiles.get(inputs[1])
                expected = _pages(firmware, vmm, *inputs[2:]) if firmware and vmm else (None, None)
                known = inputs[1] is None or (firmware and vmm)
                if known and (bsp, ap) != (expected[0], None if alone else expected[1]):
                    yield f"{name}: {inputs[0].hex()[:16]}, {inputs[1]}: not the VMSA pages of these inputs"


def _pages(
    firmware: FirmwareComponent, vmm: VmmProfile, signature: int | None, features: int | None
) -> tuple[bytes | None, bytes | None]:
    try:
        known = None if signature is None else VcpuSignature(signature)
        return vmsa_page_hashes(firmware, VcpuPoint(None, vmm, known, features or 0, 1))
    except LdcatError:  # no launch, and so no page
        return None, None


def _combinations(components: Components, technology: str, name: str) -> Iterator[tuple[Any, ...]]:
    """Inputs, whether there is one vCPU alone, and pages: each that occurs, once."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from catalog.store.digest_schema import digest_schema

    table = read_parquet(components, name)
    if not table.schema.equals(digest_schema(technology, technology_named(technology).digest_size)):
        return
    alone = pc.fill_null(pc.equal(table["vcpus"], 1), False)
    table = table.select([*_INPUTS, *_PAGES]).append_column("alone", alone)
    keys = [*_INPUTS, "alone", *_PAGES]
    found = pa.TableGroupBy(table, keys, use_threads=False).aggregate([]).select(keys)
    yield from zip(*(column.to_pylist() for column in found.columns), strict=True)
