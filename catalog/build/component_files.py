"""Writes the component files of a catalog: builds, kernel hashes, bases, VMM profiles, vCPU types, names, the spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from catalog.launch.hashing.backends import HashBackend
from catalog.launch.profile import VmmProfile
from catalog.launch.technology import technology_named
from catalog.launch.vcpu_types import VcpuTypes
from catalog.spec import embedded
from catalog.spec.catalog_spec import CatalogSpec
from catalog.store import manifest
from catalog.store.component_names import Numbers, component_names
from catalog.store.manifest import FileEntry


def write_components(folder: Path, spec: CatalogSpec, backend: HashBackend) -> tuple[dict[str, FileEntry], Numbers]:
    """Write the component files of a spec; returns their manifest entries, and the numbers of the components."""
    files = _write_tables(folder, spec)
    texts = {manifest.VCPU_TYPES: embedded.vcpu_types_text(), manifest.SPEC: spec.text}
    for place, profiles in _profiles(spec).items():
        (folder / place).mkdir(parents=True, exist_ok=True)
        texts |= {f"{place}/{name}.toml": profile.text for name, profile in profiles.items()}
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode("utf-8"))
        files[name] = manifest.file_entry(folder / name)
    names, numbers = _write_names(folder, spec, backend)
    return files | names, numbers


def _profiles(spec: CatalogSpec) -> Mapping[str, Mapping[str, VmmProfile]]:
    """The VMM profiles that a spec uses, by name, by the folder that they are written to."""
    used: dict[str, dict[str, VmmProfile]] = {manifest.VMM_FOLDER: {}}
    for technology, axes in spec.axes.items():
        used.setdefault(manifest.vmm_folder(technology), {}).update({vmm.name: vmm for vmm in axes.vmm})
    used[manifest.VMM_FOLDER] |= {base.vmm.name: base.vmm for base in spec.bases if base.vmm}
    return used


def _write_tables(folder: Path, spec: CatalogSpec) -> dict[str, FileEntry]:
    from catalog.store import component_tables

    kernels = [kernel for kernel in spec.kernels if kernel]
    tables = {
        manifest.FIRMWARE: (component_tables.firmware_table(spec.builds), "name"),
        manifest.LAUNCHABLE: (component_tables.launchable_table(spec.builds, spec.axes), "firmware"),
        manifest.KERNEL_HASHES: (component_tables.kernel_hashes_table(kernels), "name"),
    }
    if spec.bases:
        tables[manifest.BASES] = (component_tables.bases_table([base.facts for base in spec.bases]), "name")
    if manifest.TDX in spec.axes:
        tables[manifest.TDX_FIRMWARE] = (component_tables.tdx_firmware_table(spec.builds), "name")
    files = {}
    for name, (rows, sorted_by) in tables.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        component_tables.write_parquet(rows, folder / name, sorted_by=sorted_by)
        files[name] = manifest.file_entry(folder / name, rows.num_rows)
    return files


def _write_names(folder: Path, spec: CatalogSpec, backend: HashBackend) -> tuple[dict[str, FileEntry], Numbers]:
    """The files of component names: one, and one more for each technology that keeps its own components."""
    kernels = [kernel for kernel in spec.kernels if kernel]
    types, bases = VcpuTypes.parse(embedded.vcpu_types_text()), [base.facts for base in spec.bases]
    profiles = _profiles(spec)
    shared = profiles[manifest.VMM_FOLDER].values()
    numbers, names = component_names(spec.builds, kernels, shared, types, spec.axes, bases)
    made = {manifest.NAMES: names}
    for technology in spec.axes:
        if technology_named(technology).keeps_components:
            own = profiles[manifest.vmm_folder(technology)].values()
            others, made[manifest.names_file(technology)] = component_names(spec.builds, (), own, types, [technology])
            numbers = replace(numbers, profiles={**numbers.profiles, **others.profiles})
    entries: dict[str, FileEntry] = {}
    for name, data in made.items():
        (folder / name).write_bytes(data)
        entries |= manifest.verity_entries(folder, name, manifest.read_chunks(folder / name), backend)
    return entries, numbers
