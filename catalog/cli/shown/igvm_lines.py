"""The lines of `ldcat inspect` for an IGVM file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from catalog.fast.match_text import NOT_KNOWN
from catalog.terminal import render

_MOST_RANGES = 40
"""Ranges of memory in the table; --format json has more."""

_RULES = {
    "order": "pages, parameter areas and VMSAs come in another order",
    "pages_without_data": "page type of pages without data",
    "shared_pages": "page type of pages that the host shares",
    "large_pages": "how much is measured of pages of 2 MiB",
    "parameter_areas": "how much is measured of parameter areas of several pages",
    "vcpus_without_context": "VMSAs of vCPUs for which the file has none",
}
"""What loaders differ in, by the rule."""


def print_igvm(record: dict[str, Any]) -> None:
    """Print what `IgvmInspection.to_dict` gives, without its notes."""
    render.facts(_facts(record), title=record["name"])
    for platform in record["platforms"]:
        if facts := [*_platform(platform)]:
            render.facts(facts, title=f"Platform {platform['platform']}")
    if ranges := record["memory_map"]:
        render.table(
            ("from", "to", "size", "what", "mask"),
            [
                (f"{r['gpa']:#010x}", f"{r['gpa'] + r['size']:#010x}", f"{r['size']:#x}", r["what"], f"{r['mask']:#x}")
                for r in ranges[:_MOST_RANGES]
            ],
            title="Guest-physical memory, in the order of the file",
        )
    if more := len(ranges[_MOST_RANGES:]) + record["memory_map_more"]:
        render.line(f"  ({more:,} more ranges: --format json)")
    for platform in record["platforms"]:
        _print_launches(platform, [one for one in record["launches"] if one["technology"] == platform["technology"]])


def _facts(record: dict[str, Any]) -> list[tuple[str, object]]:
    has_file = record["format_version"] is not None
    return [
        ("IGVM format", f"version {record['format_version']}, {record['architecture']}" if has_file else NOT_KNOWN),
        ("SHA-256", record["sha256"]),
        ("SHA-384", record["sha384"]),
        ("size", f"{record['size']:,} bytes"),
        ("headers", ", ".join(f"{count:,} {name}" if has_file else name for name, count in record["headers"].items())),
    ]


def _platform(platform: dict[str, Any]) -> Iterator[tuple[str, object]]:
    if platform["mask"] is not None:
        yield "mask", f"{platform['mask']:#x}"
    if platform["shared_gpa_boundary"]:
        yield "shared from", f"{platform['shared_gpa_boundary']:#x}"
    if policy := platform["policy"]:
        allowed = [name for name, value in policy.items() if value is True]
        yield "guest policy", f"{policy['value']}: {', '.join(allowed) or 'no bit is set'}"
    elif platform["technology"]:
        yield "guest policy", "none in the file"
    for one in platform["contexts"]:
        yield f"VMSA of vCPU {one['vcpu']}", f"at {one['gpa']:#x}"
        yield "  SHA-256", one["sha256"]
        yield from _registers(one)
    if block := platform["id_block"]:
        yield "ID block", block["launch_digest"]
        given = (("guest SVN", "guest_svn"), ("family ID", "family_id"), ("image ID", "image_id"))
        yield from ((f"  {label}", block[name]) for label, name in given if name in block)
    if inside := platform["firmware"]:
        known = [name for tail in inside["known_tails"] for name in (*tail["builds"], *tail["code_of"])]
        yield "firmware inside", f"{inside['size']:,} bytes at {inside['gpa']:#x}"
        yield "  SHA-256", inside["sha256"]
        yield "  build", ", ".join(known) or "not a catalogued build"
    for each in platform["differences"] or ():
        yield "loaders differ", _RULES[each["rule"]]
        for value, names in each["loaders"].items():
            yield f"  {value}", ", ".join(names)


def _registers(one: dict[str, Any]) -> Iterator[tuple[str, object]]:
    yield "  registers", ", ".join(f"{name} {value}" for name, value in one["registers"].items())
    segments = [
        f"{name} {' '.join(f'{field} {value}' for field, value in fields.items() if value != '0x0')}"
        for name, fields in one["segments"].items()
        if any(value != "0x0" for value in fields.values())
    ]
    yield "  segments", ", ".join(segments)


def _print_launches(platform: dict[str, Any], launches: Iterable[dict[str, Any]]) -> None:
    """The loaders by digest, and those that do not launch the file with their reasons."""
    digests: dict[str, list[dict[str, Any]]] = {}
    shown: list[tuple[str, object]] = []
    for one in launches:
        if one["launch_digest"]:
            digests.setdefault(one["launch_digest"], []).append(one)
        else:
            shown.append(("not launched" if one["measurable"] == "no" else one["vmm"], one["fault"]))
    found: list[tuple[str, object]] = []
    for digest, some in digests.items():
        found += [("launch digest", digest), ("  under", ", ".join(map(_loader, some)))]
        found += [("  ID block", some[0]["id_block"])] if some[0]["id_block"] else []
    if not found and not shown:
        render.line(f"{platform['platform']}: not measured by ldcat")
        return
    render.facts([*found, *shown], title=f"Launches on {platform['platform']}")


def _loader(one: dict[str, Any]) -> str:
    return str(one["vmm"]) if one["vcpus"] is None else f"{one['vmm']} with --vcpus {one['vcpus']}"
