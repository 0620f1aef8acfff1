"""HTML of diffs, releases and explanations, fit for printing: standalone files, or pages that a host serves.

A standalone page runs no script and loads nothing. The same catalogs give the same bytes.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from catalog.ask.memory_map import Range, memory_map
from catalog.diff.diff import Diff
from catalog.diff.row_changes import ADDED, RULE_CHANGED, WITHDRAWN
from catalog.explain.divergence import Divergence
from catalog.fast.match import CLAIMS, endorser_text
from catalog.fast.match_text import NOT_KNOWN, command_line, printable, published_in
from catalog.fast.note_text import MARKS
from catalog.files.outputs import write_whole
from catalog.firmware.component import FirmwareComponent
from catalog.imports.endorsed_facts import Base
from catalog.pages.assets import assets_folder
from catalog.pages.pictures.divergence_picture import parting_svg
from catalog.pages.pictures.heat_picture import heat_matrix
from catalog.pages.pictures.matrix import Matrix, heads_by_line, matrix_svg
from catalog.pages.pictures.memory_map_picture import MOST_RANGES, memory_map_svg
from catalog.store.catalog import Catalog
from catalog.store.images import images
from catalog.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'"
)
"""Content-Security-Policy of pages that a host serves."""

_CLAIMS = f"{CLAIMS.text[0].upper()}{CLAIMS.text[1:]}."


def write_diff(path: Path, old: Catalog, new: Catalog, found: Diff) -> None:
    """Write the page of a diff; raises the errors of `write_whole`."""
    write_whole(path, diff_page(old, new, found))


def diff_page(old: Catalog, new: Catalog, found: Diff, root: str | None = None) -> bytes:
    """The page of a diff. root: as for `page`."""
    return page(
        "diff.html",
        root,
        title=_diff_title(old, new),
        sides=[describe_side(what, one, root) for what, one in (("old", old), ("new", new))],
        found=found,
        why=found.why(),
        always=(ADDED, WITHDRAWN, RULE_CHANGED),
        heat=_markup(matrix_svg(heat_matrix(found.heat), "heat")) if found.heat.rows else None,
        command=shlex.join(["ldcat", "diff", _place(old, root), _place(new, root), "--format", "jsonl"]),
    )


def write_report(path: Path, catalog: Catalog, covered: Matrix) -> None:
    """Write the page of a catalog or a release. covered: its coverage matrix.

    Raises VerificationFailed for a damaged catalog, and the errors of `write_whole`.
    """
    write_whole(path, report_page(catalog, covered))


def report_page(catalog: Catalog, covered: Matrix, root: str | None = None) -> bytes:
    """The page of a catalog or a release. root: as for `page`. Raises VerificationFailed for a damaged catalog."""
    by_map: dict[tuple[Range, ...], list[str]] = {}
    for name, build in sorted(catalog.builds.items()):
        by_map.setdefault(tuple(memory_map(build.component)), []).append(name)
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
        command=shlex.join(["ldcat", "sql", "SELECT * FROM launch_digests", "--catalog", _place(catalog, root)]),
    )


def _diff_title(old: Catalog, new: Catalog) -> str:
    before, after = old.release, new.release
    if before and after and before.origin == after.origin:
        return f"What changed from release {before.number} to {after.number} of {after.origin}"
    return f"{page_title(old)} and {page_title(new)}: what differs"


def _image_keys(catalog: Catalog) -> set[str]:
    return {build.component.key.hex() for build in catalog.builds.values()}


def page_title(catalog: Catalog) -> str:
    """The name of a catalog, with the number of its release and the origin of its log if it is published."""
    release = catalog.release
    return catalog.manifest.name + (f": release {release.number} of {release.origin}" if release else "")


def write_explanation(
    path: Path,
    compared_with: str,
    *,
    evidence: Sequence[str],
    shown: Sequence[tuple[Mapping[str, Any], Divergence | None]],
    searched: Sequence[str],
) -> None:
    """Write the page of an explanation; raises the errors of `write_whole`.

    compared_with: name of the baseline.
    evidence: lines about the evidence, and whether it is verified.
    shown: each explanation as in JSON, with `facts` for people, and where it diverges from the expected launch.
    searched: lines about the configurations that were tried.
    """
    explained = page(
        "explain.html",
        None,
        title="Why this launch digest",
        evidence=evidence,
        hits=[
            {**hit, "svg": parted and _markup(parting_svg(parted, f"parting-{number}"))}
            for number, (hit, parted) in enumerate(shown, 1)
        ],
        compared_with=compared_with,
        searched=searched,
    )
    write_whole(path, explained)


def page(template: str, root: str | None, **shown: Any) -> bytes:
    """A standalone page if `root` is None; else one of several pages that a host serves.

    root: relative URL from the page to the root folder of the pages, such as "" or "../".
    """
    css = _markup((_TEMPLATES / "page.css").read_text(encoding="utf-8")) if root is None else None
    assets = None if root is None else assets_folder()
    shown |= {"css": css, "root": root, "assets": assets, "policy": POLICY, "version": __version__, "claims": _CLAIMS}
    return _environment().get_template(template).render(shown).encode("utf-8", "backslashreplace")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["marks"] = MARKS
    return made


def _shown(value: object) -> object:
    """A value as a template shows it: made printable, unless it is markup already."""
    return value if hasattr(value, "__html__") else printable(str(value))


def _markup(text: str) -> str:
    """Text that was made and escaped here, which templates do not escape again."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704


def _place(catalog: Catalog, root: str | None) -> str:
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


def hashes_area_text(component: FirmwareComponent) -> str:
    """Whether an image has a kernel hashes area."""
    if component.hashes_area:
        return "has an area"
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
        "enforced": component.kernel_hashes_enforced.value if component.hashes_area else "",
        "launchable": ", ".join(
            f"{technology} {build.launchability(technology).verdict}" for technology in catalog.manifest.known
        ),
    }


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


def drawn_map(ranges: Sequence[Range], number: int, names: Sequence[str]) -> str | None:
    """The memory map of images with the same ranges; None for more than MOST_RANGES. number: unique in its page."""
    if len(ranges) > MOST_RANGES:
        return None
    return _markup(memory_map_svg(ranges, f"map-{number}", f"Memory map of {', '.join(names)}"))
