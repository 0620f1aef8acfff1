"""Facts of catalogs and their builds as texts for people, which several pages show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from catalog.ask.memory_map import Range
from catalog.fast.match_text import NOT_KNOWN, published_in
from catalog.firmware.igvm.igvm_component import IgvmComponent
from catalog.firmware.launch_image import LaunchImage
from catalog.pages.html import markup
from catalog.pages.pictures.memory_map_picture import MOST_RANGES, memory_map_svg
from catalog.store.catalog import Catalog


def page_title(catalog: Catalog) -> str:
    """The name of a catalog, with the number of its release and the origin of its log if it is published."""
    release = catalog.release
    return catalog.manifest.name + (f": release {release.number} of {release.origin}" if release else "")


def named_place(catalog: Catalog, root: str | None) -> str:
    """The argument of a command line that names the catalog; folders of a host are not shown to its visitors."""
    if root is None:
        return catalog.location
    return f"URL/releases/{catalog.release.number}" if catalog.release else "URL"


def describe_side(what: str, catalog: Catalog, root: str | None) -> dict[str, Any]:
    """The facts that identify a catalog, and whether it was verified. root: as for `page`."""
    release = catalog.release
    facts: list[tuple[str, object]] = [
        ("name", catalog.manifest.name),
        *([("place", catalog.location)] if root is None else []),
        ("manifest SHA-256", catalog.manifest_sha256),
        ("generator", catalog.manifest.generator),
    ]
    if release:
        facts += [
            ("release", f"{release.number} of {release.origin} (last: {release.last})"),
            ("checkpoint", f"{release.size:,} leaves, root {release.root}"),
        ]
    facts += [("note", note.text) for note in catalog.notes]
    if release and release.trust_version:
        facts.append(("verified", f"against version {release.trust_version} of the trust note"))
    return {"what": what, "facts": facts, "unverified": release is not None and not release.trust_version}


_HAS_AREA = "has an area"


def hashes_area_text(component: LaunchImage) -> str:
    """Whether an image has a kernel hashes area; it is the loader that writes the hashes into an IGVM file."""
    if isinstance(component, IgvmComponent):
        return "as the loader of the IGVM file does"
    if component.hashes_area:
        return _HAS_AREA
    return "none" if component.knows_hashes_area else NOT_KNOWN


def build_facts(catalog: Catalog, name: str) -> dict[str, Any]:
    """The facts of a build, as texts for people."""
    build = catalog.builds[name]
    component, origin = build.component, build.origin
    return {
        "name": name,
        "origin": published_in(msgspec.structs.asdict(origin)) if origin else "",
        "sha256": component.sha256.hex() if component.sha256 else NOT_KNOWN,
        "key": component.key.hex(),
        "hashes": " ".join(one.hex() for one in (component.sha256, component.sha384, component.snp_baseline) if one),
        "kernel_hashes": hashes_area_text(component),
        "enforced": "" if hashes_area_text(component) == "none" else component.kernel_hashes_enforced.value,
        "launchable": ", ".join(
            f"{technology} {build.launchability(technology).verdict}" for technology in catalog.manifest.known
        ),
    }


def drawn_map(ranges: Sequence[Range], number: int, names: Sequence[str]) -> str | None:
    """The memory map of images with the same ranges; None for none and for more than MOST_RANGES.

    number: unique in its page.
    """
    if not ranges or len(ranges) > MOST_RANGES:
        return None
    return markup(memory_map_svg(ranges, f"map-{number}", f"Memory map of {', '.join(names)}"))
