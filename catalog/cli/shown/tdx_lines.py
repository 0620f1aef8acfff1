"""What TDVF metadata asks for, and the MRTDs of an image, as tables."""

from __future__ import annotations

from typing import Any

from catalog.firmware.tdx.tdx_facts import EXTEND_ALONE, SINGLE_PASS, TWO_PASS
from catalog.terminal import render

_WAYS = {
    SINGLE_PASS: "QEMU on mainline KVM, and Google: each page is added and measured",
    TWO_PASS: "QEMU of Ubuntu 24.04: a section is added, then measured",
    EXTEND_ALONE: "Cloud Hypervisor",
}


def print_tdx(tdx: dict[str, Any]) -> None:
    """Print the member `tdx` of an inspection."""
    if tdx["fault"]:
        render.line(f"TDX: {tdx['fault']}")
        return
    render.table(
        ("from", "to", "size", "what", "contents", "measured"),
        [
            (
                f"{one['gpa']:#010x}",
                f"{one['gpa'] + one['size']:#010x}",
                f"{one['size']:#x}",
                one["type"] + (", added later" if one["added_later"] else ""),
                f"{one['raw_size']:#x}" if one["raw_size"] else "",
                "yes" if one["measured"] else "no",
            )
            for one in tdx["sections"]
        ],
        title="Guest-physical memory of a TD",
    )
    ways: dict[str, list[str]] = {}
    for way, digest in tdx["mrtd"].items():
        if way in _WAYS:  # those of Google's machine types are in JSON
            ways.setdefault(digest, []).append(_WAYS[way])
    facts = [pair for digest, some in ways.items() for pair in (("MRTD", digest), ("  under", "; ".join(some)))]
    if facts:
        render.facts(facts, title="Launch digests on TDX")
