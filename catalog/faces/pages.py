"""Pages: what a diff, a release or an explanation is, as one self-contained HTML file that prints well.

Nothing is loaded by them and no script runs in them; they are the same bytes for the same catalogs.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog import __version__
from catalog.faces.pictures.heat import heat_matrix
from catalog.faces.pictures.matrix import Matrix, matrix_svg
from catalog.faces.pictures.memory_map import MOST_RANGES, memory_map_svg
from catalog.faces.pictures.parting import parting_svg
from catalog.query.diff import Diff
from catalog.query.memory_map import Range, memory_map
from catalog.query.parting import Parting
from catalog.query.row_changes import ADDED, RULE_CHANGED, WITHDRAWN
from catalog.query.store import Catalog
from catalog.release.outputs import write_whole

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


def write_diff(path: Path, old: Catalog, new: Catalog, found: Diff) -> None:
    """Raises as `write_whole`, which a page of any kind does."""
    sides = [_side(what, one) for what, one in (("old", old), ("new", new))]
    _write(
        path,
        "diff.html",
        title=f"{old.manifest.name} and {new.manifest.name}: what differs",
        sides=sides,
        found=found,
        why=found.why(),
        always=(ADDED, WITHDRAWN, RULE_CHANGED),
        heat=_markup(matrix_svg(heat_matrix(found.heat), "heat")) if found.heat.rows else None,
        command=shlex.join(["ldcat", "diff", old.place, new.place, "--format", "jsonl"]),
    )


def write_report(path: Path, catalog: Catalog, covered: Matrix) -> None:
    """Of a catalog or a release, and what it covers; raises VerificationFailed for a damaged one, too."""
    release = catalog.release
    by_map: dict[tuple[Range, ...], list[str]] = {}
    for name, build in sorted(catalog.builds.items()):
        by_map.setdefault(tuple(memory_map(build.component)), []).append(name)
    _write(
        path,
        "report.html",
        title=catalog.manifest.name + (f": release {release.number} of {release.origin}" if release else ""),
        side=_side("catalog", catalog),
        manifest=catalog.manifest,
        revocations=catalog.revocations,
        coverage=_markup(matrix_svg(covered, "coverage")),
        builds=[_build(catalog, name) for name in sorted(catalog.builds)],
        maps=[
            {"names": names, "ranges": len(ranges), "svg": _drawn_map(ranges, number, names)}
            for number, (ranges, names) in enumerate(by_map.items())
        ],
        kernels=[_kernel(row) for rows in catalog.kernel_hashes.values() for row in rows],
        profiles=[catalog.profiles[name] for name in sorted(catalog.profiles)],
        command=shlex.join(["ldcat", "sql", "SELECT * FROM launch_digests", "--catalog", catalog.place]),
    )


def write_explanation(
    path: Path,
    compared_with: str,
    *,
    evidence: Sequence[str],
    shown: Sequence[tuple[Mapping[str, Any], Parting | None]],
    searched: Sequence[str],
) -> None:
    """evidence: what was asked about, and whether it is verified. searched: what was tried. Both in lines.

    shown: the explanations as JSON has them, each with `facts` for people, and where it parts from what is expected.
    """
    _write(
        path,
        "explain.html",
        title="Why this launch digest",
        evidence=evidence,
        hits=[
            {**hit, "svg": parted and _markup(parting_svg(parted, f"parting-{number}"))}
            for number, (hit, parted) in enumerate(shown, 1)
        ],
        compared_with=compared_with,
        searched=searched,
    )


def _write(path: Path, template: str, **shown: Any) -> None:
    css = _markup((_TEMPLATES / "page.css").read_text(encoding="utf-8"))
    page = _environment().get_template(template).render(css=css, version=__version__, **shown)
    write_whole(path, page.encode("utf-8", "backslashreplace"))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _markup(text: str) -> str:
    """What is made here, and escaped already."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704


def _side(what: str, catalog: Catalog) -> dict[str, Any]:
    release = catalog.release
    facts: list[tuple[str, object]] = [
        ("name", catalog.manifest.name),
        ("place", catalog.place),
        ("manifest SHA-256", catalog.manifest_sha256),
        ("generator", catalog.manifest.generator),
    ]
    if release:
        facts += [
            ("release", f"{release.number} of {release.origin}, whose last one is {release.last}"),
            ("checkpoint", f"{release.size:,} leaves, root {release.root}"),
        ]
    if release and release.trust_version:
        facts.append(("verified", f"against version {release.trust_version} of the trust note"))
    return {"what": what, "facts": facts, "unverified": release is not None and not release.trust_version}


def _build(catalog: Catalog, name: str) -> dict[str, Any]:
    build = catalog.builds[name]
    component, origin = build.component, build.origin
    return {
        "name": name,
        "origin": f"{origin.package} {origin.version} ({origin.suite})" if origin else "",
        "sha256": component.sha256.hex(),
        "kernel_hashes": "has an area" if component.hashes_area else "none",
        "enforced": component.kernel_hashes_enforced.value if component.hashes_area else "",
        "launchable": ", ".join(
            f"{technology} {build.launchability(technology).verdict}" for technology in catalog.manifest.technologies
        ),
    }


def _kernel(row: Mapping[str, Any]) -> dict[str, Any]:
    facts = [
        ("table SHA-256", row["table_sha256"].hex()),
        ("kernel SHA-256", row["kernel_sha256"].hex()),
        ("initrd SHA-256", row["initrd_sha256"].hex()),
        ("command line", repr(row["append"])),
    ]
    return {"name": row["name"], "facts": facts}


def _drawn_map(ranges: Sequence[Range], number: int, names: Sequence[str]) -> str | None:
    if len(ranges) > MOST_RANGES:
        return None
    return _markup(memory_map_svg(ranges, f"map-{number}", f"Memory map of {', '.join(names)}"))
