"""Build a catalog: from a spec to the files of one folder, the same bytes however it was run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from catalog import __version__
from catalog.errors import LdcatError
from catalog.launch.technology import technology_named
from catalog.release import embedded, manifest
from catalog.release.enumeration import CrossProduct, Progress, cross_product, digests
from catalog.release.folder import written_whole
from catalog.release.inputs import MAX_TEXT_SIZE, read_file
from catalog.release.manifest import FileEntry, LeftOutEntry, Manifest, TechnologyEntry, parse_manifest
from catalog.release.spec import CatalogSpec


@dataclass(frozen=True, slots=True)
class Built:
    """What a build made. example: a launch digest of it in hex to look up, None when it has no row."""

    folder: Path
    manifest: Manifest
    example: str | None


def build_catalog(
    spec: CatalogSpec,
    folder: Path,
    *,
    processes: int,
    begin: Callable[[int], Progress],
) -> Built:
    """Write the catalog of `spec` to `folder`, replacing a catalog that is there, whole or not at all.

    begin: called once with the number of rows to come; gives the callback for progress. Raises UsageError
    for a folder with other contents, Unreadable where the system refuses.
    """
    with written_whole(folder, foreign=_foreign, kept=_databases) as partial:
        product = cross_product(spec)
        made = digests(product, processes=processes, progress=begin(product.rows))
        files = _write_digests(partial, spec, product, made)
        entries = {
            name: TechnologyEntry(
                digest_size=technology_named(name).digest_size,
                rows=sum(len(family.vcpus) for family in product.families if family.technology == name),
            )
            for name in sorted(spec.axes)
        }
        files |= _write_components(partial, spec)
        written = Manifest(
            format=manifest.FORMAT,
            name=spec.name,
            generator=f"ldcat {__version__}",
            technologies=entries,
            files=files,
            left_out=[
                LeftOutEntry(technology=o.technology, firmware=o.firmware, reason=o.reason, points=o.points)
                for o in product.left_out
            ],
        )
        (partial / manifest.NAME).write_bytes(written.to_json())
    return Built(folder, written, _example(spec, product, made))


def _example(spec: CatalogSpec, product: CrossProduct, made: list[bytes]) -> str | None:
    """A digest that people are likely to meet: of a build known to launch, under the profile it has most rows of."""
    known = {
        (technology, build.component.sha256)
        for build in spec.builds
        for technology in spec.axes
        if build.launchability(technology).verdict == "yes"
    }
    families = product.families
    likely = [n for n, f in enumerate(families) if (f.technology, f.firmware.sha256) in known] or range(len(families))
    kinds = {n: (families[n].technology, getattr(families[n].vmm, "name", "")) for n in likely}
    rows = Counter[tuple[str, str]]()
    for n in likely:
        rows[kinds[n]] += len(families[n].vcpus)
    if not rows:
        return None
    kind = max(rows, key=lambda kind: (kind[0], rows[kind]))
    chosen = max(n for n in likely if kinds[n] == kind)
    return made[chosen][: technology_named(kind[0]).digest_size].hex()


def _databases(folder: Path) -> list[Path]:
    """Local databases that people keep in a catalog's folder; never published, and none of ours to delete."""
    found = [*folder.glob("*.duckdb"), *folder.glob("*.duckdb.wal")]
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def _foreign(folder: Path) -> str | None:
    """The name of a file in a folder that is no catalog's, or None: only a catalog's folder is ever replaced."""
    found = {path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()} - {*_databases(folder)}
    if not found:
        return None
    try:
        listed = parse_manifest(read_file(folder / manifest.NAME, limit=MAX_TEXT_SIZE)).files
    except LdcatError:
        return str(min(found).relative_to(folder))
    ours = {folder / name for name in (*listed, manifest.NAME)}
    return str(min(found - ours).relative_to(folder)) if found - ours else None


def _write_digests(folder: Path, spec: CatalogSpec, product: CrossProduct, made: list[bytes]) -> dict[str, FileEntry]:
    from catalog.release import table  # pyarrow costs 150 ms, and workers never need it

    files = {}
    for name in sorted(spec.axes):
        chosen = [n for n, family in enumerate(product.families) if family.technology == name]
        rows = table.digest_table(name, [product.families[n] for n in chosen], [made[n] for n in chosen])
        path = folder / name / manifest.DIGESTS
        path.parent.mkdir()
        table.write_parquet(rows, path, sorted_by="launch_digest")
        files[f"{name}/{manifest.DIGESTS}"] = manifest.file_entry(path, rows.num_rows)
    return files


def _write_components(folder: Path, spec: CatalogSpec) -> dict[str, FileEntry]:
    from catalog.release import table

    tables = {
        manifest.FIRMWARE: (table.firmware_table(spec.builds), "name"),
        manifest.LAUNCHABLE: (table.launchable_table(spec.builds, spec.axes), "firmware"),
        manifest.KERNEL_HASHES: (table.kernel_hashes_table(k for k in spec.kernels if k), "name"),
    }
    texts = {manifest.VCPU_TYPES: embedded.vcpu_types_text(), manifest.SPEC: spec.text}
    used = {vmm.name: vmm for axes in spec.axes.values() for vmm in axes.vmm}
    texts |= {f"{manifest.VMM_FOLDER}/{name}.toml": vmm.text for name, vmm in used.items()}
    (folder / manifest.VMM_FOLDER).mkdir(parents=True)
    files = {}
    for name, (rows, sorted_by) in tables.items():
        table.write_parquet(rows, folder / name, sorted_by=sorted_by)
        files[name] = manifest.file_entry(folder / name, rows.num_rows)
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode("utf-8"))
        files[name] = manifest.file_entry(folder / name)
    return files
