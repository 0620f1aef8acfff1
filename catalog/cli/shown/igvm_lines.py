"""The lines of `ldcat inspect` for an IGVM file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from catalog.terminal import render

_MOST_RANGES = 40
"""Ranges of memory in the table; --format json has more."""


def print_igvm(record: dict[str, Any]) -> None:
    """Print what `IgvmInspection.to_dict` gives."""
    render.facts(_facts(record), title=record["name"])
    for platform in record["platforms"]:
        render.facts(_platform(platform), title=f"Platform {platform['platform']}")
    ranges = record["memory_map"]
    render.table(
        ("from", "to", "size", "what", "mask"),
        [
            (f"{r['gpa']:#010x}", f"{r['gpa'] + r['size']:#010x}", f"{r['size']:#x}", r["what"], f"{r['mask']:#x}")
            for r in ranges[:_MOST_RANGES]
        ],
        title="Guest-physical memory, in the order of the file",
    )
    if len(ranges) > _MOST_RANGES:
        render.line(f"  ({len(ranges) - _MOST_RANGES:,} more: --format json)")
    render.table(
        ("technology", "vmm", "vCPUs", "launch digest", "ID block"),
        [
            (x["technology"], x["vmm"], x["vcpus"] or "any", x["launch_digest"] or x["fault"], x["id_block"] or "")
            for x in record["launches"]
        ],
        title="Launches",
    )
    for note in record["notes"]:
        render.note(note["text"])


def _facts(record: dict[str, Any]) -> list[tuple[str, object]]:
    return [
        ("IGVM format", f"version {record['format_version']}, {record['architecture']}"),
        ("SHA-256", record["sha256"]),
        ("SHA-384", record["sha384"]),
        ("size", f"{record['size']:,} bytes"),
        ("headers", ", ".join(f"{count:,} {name}" for name, count in record["headers"].items())),
    ]


def _platform(platform: dict[str, Any]) -> list[tuple[str, object]]:
    shown: list[tuple[str, object]] = [("mask", f"{platform['mask']:#x}")]
    if platform["shared_gpa_boundary"]:
        shown.append(("shared from", f"{platform['shared_gpa_boundary']:#x}"))
    if policy := platform["policy"]:
        allowed = [name for name, value in policy.items() if value is True]
        shown.append(("guest policy", f"{policy['value']}: {', '.join(allowed) or 'nothing is allowed'}"))
    for one in platform["contexts"]:
        shown += [(f"VMSA of vCPU {one['vcpu']}", f"at {one['gpa']:#x}, SHA-256 {one['sha256']}"), *_registers(one)]
    if block := platform["id_block"]:
        shown.append(("ID block", f"expects {block['launch_digest']}, guest SVN {block['guest_svn']}"))
    if inside := platform["firmware"]:
        known = [name for tail in inside["known_tails"] for name in (*tail["builds"], *tail["code_of"])]
        shown.append(("firmware inside", f"{inside['size']:,} bytes at {inside['gpa']:#x}, SHA-256 {inside['sha256']}"))
        shown.append(("", ", ".join(known) or "not a catalogued build"))
    for each in platform["differences"]:
        shown.append(("loaders differ", each["what"]))
        shown += [("", f"{does}: {', '.join(names)}") for does, names in each["loaders"].items()]
    return shown


def _registers(one: dict[str, Any]) -> Iterator[tuple[str, object]]:
    named = [f"{name} {value}" for name, value in one["registers"].items()]
    segments = [
        f"{name} {' '.join(f'{field} {value}' for field, value in fields.items() if value != '0x0')}"
        for name, fields in one["segments"].items()
        if any(value != "0x0" for value in fields.values())
    ]
    yield "registers", ", ".join(named)
    yield "segments", ", ".join(segments)
