"""The page of a catalog or a release: its builds, memory maps, kernels, VMM profiles and coverage."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from catalog.ask.memory_map import Range, memory_map
from catalog.fast.match import endorser_text
from catalog.fast.match_text import NOT_KNOWN, command_line
from catalog.files.outputs import write_whole
from catalog.imports.endorsed_facts import Base
from catalog.pages.catalog_facts import build_facts, describe_side, drawn_map, named_place, page_title
from catalog.pages.html import page
from catalog.pages.pictures.matrix import Matrix, heads_by_line
from catalog.store.catalog import Catalog
from catalog.store.images import images


def write_report(path: Path, catalog: Catalog, covered: Matrix) -> None:
    """Write the page of a catalog or a release. covered: its coverage matrix.

    Raises VerificationFailed for a damaged catalog, and the errors of `write_whole`.
    """
    write_whole(path, report_page(catalog, covered))


def report_page(catalog: Catalog, covered: Matrix, root: str | None = None) -> bytes:
    """The page of a catalog or a release. root: as for `page`. Raises VerificationFailed for a damaged catalog."""
    by_map: dict[tuple[Range, ...], list[str]] = {}
    for name, build in sorted(catalog.builds.items()):
        if not build.is_igvm:
            by_map.setdefault(tuple(memory_map(build.image)), []).append(name)
    return page(
        "report.html",
        root,
        title=page_title(catalog),
        side=describe_side("catalog", catalog, root),
        manifest=catalog.manifest,
        revocations=catalog.revocations,
        covered=covered,
        groups=heads_by_line(covered.heads),
        keys={image.label: image.key for image in images(_image_keys(catalog), [catalog])},
        builds=[build_facts(catalog, name) for name in sorted(catalog.builds)],
        bases=[_base(base) for bases in catalog.bases.values() for base in bases],
        maps=[
            {"names": names, "ranges": len(ranges), "svg": drawn_map(ranges, number, names)}
            for number, (ranges, names) in enumerate(by_map.items())
        ],
        kernels=[_kernel(row) for rows in catalog.kernel_hashes.values() for row in rows],
        profiles=[catalog.profiles[name] for name in sorted(catalog.profiles)],
        command=shlex.join(["ldcat", "sql", "SELECT * FROM launch_digests", "--catalog", named_place(catalog, root)]),
    )


def _image_keys(catalog: Catalog) -> set[str]:
    return {build.component.key.hex() for build in catalog.builds.values()}


def _base(base: Base) -> dict[str, Any]:
    facts: list[tuple[str, object]] = [
        ("launch digest", base.digest.hex()),
        ("vCPUs", base.vcpus),
        ("endorser", endorser_text(asdict(base.endorser))),
        ("VMM profile", base.vmm or NOT_KNOWN),
        ("vCPU type", base.vcpu_type or "none given"),
        ("reset address", NOT_KNOWN if base.reset_vector is None else f"{base.reset_vector:#x}"),
        ("sev_features", NOT_KNOWN if base.sev_features is None else f"{base.sev_features:#x}"),
    ]
    return {"name": base.label, "facts": facts}


def _kernel(row: Mapping[str, Any]) -> dict[str, Any]:
    facts = [
        ("table SHA-256", row["table_sha256"].hex()),
        ("kernel SHA-256", row["kernel_sha256"].hex()),
        ("initrd SHA-256", row["initrd_sha256"].hex()),
        ("command line", command_line(row)),
    ]
    return {"name": row["name"], "facts": facts}
