"""`ldcat inspect`: show a firmware image or an IGVM file, and which technologies it can launch under."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from catalog.ask.igvm.igvm_inspection import IgvmInspection
from catalog.ask.igvm.opened_igvm import OpenedIgvm
from catalog.ask.inspect import Inspection
from catalog.ask.memory_map import Range, memory_map
from catalog.cli.catalogs import known_builds, print_image_notes
from catalog.cli.declare.declared import Argument
from catalog.cli.help_form import RELEASE_CODES, Example, Group
from catalog.cli.options import FORMAT, BuildsOption, QuietOption, SkipVerifyOption, TrustOption
from catalog.cli.shown.igvm_lines import print_igvm
from catalog.cli.shown.tdx_lines import print_tdx
from catalog.fast.match_text import published_in
from catalog.pages.pictures.memory_map_picture import MOST_RANGES, memory_map_lines
from catalog.terminal import render
from catalog.terminal.render import Format

_NOT_KNOWN = "not known"

HELP_ORDER = 30
HELP_GROUP = Group.GUEST_OWNERS
EXAMPLES = (
    Example("ldcat inspect OVMF.fd", "Show what an image contains, and what it can launch under"),
    Example("ldcat inspect SVSM.igvm", "Show what an IGVM file launches under each of its loaders"),
    Example(
        "ldcat inspect OVMF.fd --format toml > OVMF.toml",
        "Write a record that `ldcat measure` takes instead of the image",
    ),
)
EXIT_CODES = RELEASE_CODES


def command(
    firmware: Annotated[
        str,
        Argument(
            metavar="FILE|NAME", help="Image, IGVM file, PACKAGE:PATH, record, or catalogued build by name or SHA-256."
        ),
    ],
    catalog: BuildsOption = None,
    trust: TrustOption = None,
    skip_verify: SkipVerifyOption = False,
    output: Annotated[Literal[Format.TABLE, Format.JSON, Format.JSONL, Format.TOML], FORMAT] = Format.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Show a firmware image or an IGVM file, and what it can launch under.

    An image has a GUID table, metadata sections, a memory map, and reasons why it cannot launch under a technology.
    --format toml prints its record, with which every launch digest can be computed without the image. An IGVM file has
    platforms, a memory map, VMSAs, perhaps an image inside, and a launch digest for each of its loaders.
    """
    builds = known_builds(catalog, trust, skip=skip_verify, quiet=quiet)
    if opened := OpenedIgvm.of(firmware, builds):
        _show_igvm(IgvmInspection(opened, builds.values()), output, quiet=quiet)
        return
    inspection = Inspection.of(firmware, builds)
    record = inspection.to_dict()
    print_image_notes([inspection.build], quiet=quiet)
    if output is Format.TOML:
        render.exact(inspection.build.to_toml().rstrip())
        return
    if output is Format.JSON:
        render.json_document(record)
    elif output is Format.JSONL:
        render.json_lines([record])
    else:
        _print(record, memory_map(inspection.build.image), has_image=inspection.image is not None)


def _show_igvm(inspection: IgvmInspection, output: Format, *, quiet: bool) -> None:
    if output is Format.TOML:
        render.exact(inspection.opened.build.to_toml().rstrip())
        return
    record = inspection.to_dict()
    for note in inspection.notes():
        if note.severity in ("danger", "warning"):
            render.warning(note.text)
        elif not quiet:
            render.note(note.text)
    if output is Format.JSON:
        render.json_document(record)
    elif output is Format.JSONL:
        render.json_lines([record])
    else:
        print_igvm(record)


def _print(record: dict[str, Any], ranges: Sequence[Range], *, has_image: bool) -> None:
    render.facts(_facts(record), title=record["name"])
    if not has_image:
        render.line("  (only the image has the GUID table; give the file to see it)")
    elif record["guid_table"]:
        render.table(
            ("GUID", "what", "data"),
            [(e["guid"], e["name"] or "", _short(e["data"])) for e in record["guid_table"]],
            title="GUID table, from its end",
        )
    render.table(
        ("from", "to", "size", "what", "launch order"),
        [_range(r) for r in record["memory_map"]],
        title="Guest-physical memory",
    )
    if render.is_terminal() and len(ranges) <= MOST_RANGES:
        for text in memory_map_lines(ranges):
            render.line(text)
    if record["tdx"]:
        print_tdx(record["tdx"])
    render.table(
        ("technology", "measurable", "expected to launch", "why", "source"),
        [
            (name, x["measurable"], x["launchable"], x["fault"] or x["reason"], x["source"])
            for name, x in record["launches"].items()
        ],
        title="Launches",
    )


def _facts(record: dict[str, Any]) -> list[tuple[str, object]]:
    origin, vector, area = record["origin"], record["reset_vector"], record["hashes_area"]
    shown: list[tuple[str, object]] = []
    if origin:
        shown.append(("published in", ", ".join(filter(None, (published_in(origin), origin["path"])))))
    shown += [
        ("SHA-256", record["sha256"] or _NOT_KNOWN),
        ("SHA-384", record["sha384"] or _NOT_KNOWN),
        ("size", f"{record['size']:,} bytes, {record['size'] // 4096} pages" if record["size"] else _NOT_KNOWN),
        ("SNP baseline", record["snp_baseline"]),
        ("firmware version", record["firmware_version"] or _NOT_KNOWN),
        ("SEV-ES reset vector", "none" if vector is None else f"{vector:#x}"),
    ]
    if record["standalone_reset_block"]:
        shown.append(("", "from a stand-alone reset block: the image is older than the GUID table"))
    shown += _tails(record)
    shown.append(("kernel hashes area", _area(area) if area else "none" if record["sha256_midstate"] else _NOT_KNOWN))
    shown.append(("kernel hashes", record["kernel_hashes"]))
    enforced, why = record["kernel_hashes_enforced"], record["kernel_hashes_enforced_reason"]
    careful = (
        "" if enforced == "yes" or not area else ": with kernel hashes too, it may boot any kernel the host passes"
    )
    shown.append(("kernel hashes enforced", enforced + careful))
    if why:
        shown.append(("why that is unknown", why))
    return shown


def _area(area: dict[str, Any]) -> str:
    return f"{area['gpa']:#x}" + (", size not known" if area["size"] is None else f"+{area['size']:#x}")


def _tails(record: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """A line for each end of the image that is known."""
    for tail in record["known_tails"]:
        before = record["size"] - tail["size"]
        what = "a variable store" if before == record["variable_store_size"] else "not known"
        known = [*tail["builds"], *(f"the code of {name}" for name in tail["code_of"])]
        rest = f"; the {before:,} bytes before them are {what}" if before else ""
        yield "known code", f"the last {tail['size']:,} bytes are {', '.join(known)}{rest}"


def _range(entry: dict[str, Any]) -> tuple[object, ...]:
    start, size, order = entry["gpa"], entry["size"], entry["order"]
    return (
        f"{start:#010x}",
        f"{start + size:#010x}",
        f"{size:#x}",
        entry["what"],
        "" if order is None else order,
    )


def _short(text: str) -> str:
    return text if len(text) <= 32 else f"{text[:32]}... ({len(text) // 2} bytes)"
