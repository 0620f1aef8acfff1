"""What TDVF metadata asks for, the MRTDs of an image, and its events in RTMR0, as tables."""

from __future__ import annotations

from typing import Any

from catalog.firmware.tdx.tdx_facts import EXTEND_ALONE, SINGLE_PASS, TWO_PASS
from catalog.terminal import render

_WAYS = {
    SINGLE_PASS: "QEMU on mainline KVM, and Google: each page is added and measured",
    TWO_PASS: "QEMU of Ubuntu 24.04: a section is added, then measured",
    EXTEND_ALONE: "Cloud Hypervisor",
}

EVENTS = {
    "cfv": "variable store (CFV)",
    "secure_boot": "variable SecureBoot",
    "pk": "variable PK",
    "kek": "variable KEK",
    "db": "variable db",
    "dbx": "variable dbx",
}
"""What is shown of each event of an image, by its name in JSON."""


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
    if tdx["rtmr"]:
        _print_rtmr(tdx["rtmr"])


def _print_rtmr(rtmr: dict[str, Any]) -> None:
    """Print the events of RTMR0 that follow from the image, and why others are not known."""
    events = [(EVENTS[name], digest) for name, digest in rtmr["events"].items() if digest]
    if events:
        render.facts(events, title="Events of RTMR0 that follow from the image (SHA-384)")
    if rtmr["why_unknown"]:
        render.line(f"events of RTMR0 that are not known: {rtmr['why_unknown']}")
