"""`ldcat vmsa`: show, build and compare VMSA pages, which hold the initial registers of a vCPU."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from catalog.ask.vmsa_pages import MAX_INPUT, PageRequest, SaveArea, differences
from catalog.cli.catalogs import known_builds
from catalog.cli.help_form import RELEASE_CODES, Example, Group
from catalog.cli.launch_options import (
    SevFeaturesOption,
    VcpuFamilyOption,
    VcpuModelOption,
    VcpuSignatureOption,
    VcpuSteppingOption,
    VcpuTypeOption,
)
from catalog.cli.options import (
    FORMAT,
    OUTPUT,
    BuildsOption,
    QuietOption,
    SkipVerifyOption,
    TableFormatOption,
    TrustOption,
    named_path,
    number_option,
    signature_number,
)
from catalog.errors import UsageError
from catalog.files.inputs import read_start, unreadable
from catalog.files.outputs import write_whole
from catalog.terminal import render
from catalog.terminal.render import Format

HELP_ORDER = 220
HELP_GROUP = Group.GUEST_OWNERS
EXAMPLES = {
    "": (Example("ldcat vmsa show ap.vmsa", "Show what a page contains"),),
    "show": (Example("ldcat vmsa show ap.vmsa", "Show registers, and which VMM profiles make the page"),),
    "build": (
        Example(
            "ldcat vmsa build --vmm qemu-kvm-init2 --vcpu-type EPYC-Milan -o bsp.vmsa",
            "Write the page of the first vCPU",
        ),
        Example(
            "ldcat vmsa build --ap --firmware sid/ovmf-amdsev/OVMF.amdsev.fd --vmm qemu-kvm-init2 "
            "--vcpu-type EPYC-Milan",
            "Print the page of the other vCPUs in hex",
        ),
    ),
    "diff": (Example("ldcat vmsa diff ap.vmsa other.vmsa", "Compare two pages register by register", code=1),),
}
EXIT_CODES = {
    "diff": {0: "the pages are equal", 1: "they differ"},
    "build": RELEASE_CODES,
}

app = typer.Typer(
    help="Show, build and compare VMSA pages, one of which each vCPU has.",
)

_START = "Where an AP starts"

PageArgument = Annotated[
    str,
    typer.Argument(metavar="FILE|-", help="VMSA page: 4096 bytes, hex, or JSON of `ldcat vmsa show`; - reads stdin."),
]


@app.command("show")
def show(
    file: PageArgument, output: Annotated[Literal[Format.TABLE, Format.JSON, Format.HEX], FORMAT] = Format.TABLE
) -> None:
    """Show a VMSA page: hashes, the VMM profiles that make it, segments, registers, and bytes without a name."""
    _print(_read(file), output)


@app.command("build")
def build(
    vmm: Annotated[str | None, typer.Option(metavar="PROFILE", help="VMM profile, such as qemu-kvm-init2.")] = None,
    technology: Annotated[str, typer.Option("--technology", "-t", help="Technology: sev-es or sev-snp.")] = "sev-snp",
    ap: Annotated[
        bool, typer.Option("--ap", help="Build the page of an AP, not of the BSP.", rich_help_panel=_START)
    ] = False,
    firmware: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Build by name or SHA-256, or image or record file, with the reset vector that an AP starts at.",
            rich_help_panel=_START,
        ),
    ] = None,
    reset_vector: Annotated[
        int | None,
        typer.Option(
            parser=number_option, metavar="N", help="Reset vector, without a firmware.", rich_help_panel=_START
        ),
    ] = None,
    vcpu_type: VcpuTypeOption = None,
    vcpu_signature: VcpuSignatureOption = None,
    vcpu_family: VcpuFamilyOption = None,
    vcpu_model: VcpuModelOption = None,
    vcpu_stepping: VcpuSteppingOption = None,
    sev_features: SevFeaturesOption = None,
    target: Annotated[
        Path | None,
        typer.Option(
            *OUTPUT,
            parser=named_path,
            metavar="PATH",
            help="Write the 4096 bytes to this file, and print its path.",
        ),
    ] = None,
    catalog: BuildsOption = None,
    trust: TrustOption = None,
    skip_verify: SkipVerifyOption = False,
    output: Annotated[Literal[Format.HEX, Format.TABLE, Format.JSON], FORMAT] = Format.HEX,
    quiet: QuietOption = False,
) -> None:
    """Build the VMSA page of a BSP or an AP, byte for byte as `ldcat measure` hashes it."""
    request = PageRequest(
        technology=technology,
        vmm=vmm,
        ap=ap,
        firmware=firmware,
        reset_vector=reset_vector,
        vcpu_type=vcpu_type,
        vcpu_signature=signature_number(vcpu_signature, vcpu_family, vcpu_model, vcpu_stepping),
        sev_features=sev_features,
    )
    builds = {} if firmware is None else known_builds(catalog, trust, skip=skip_verify, quiet=quiet)
    area, notes = request.build(builds)
    if target is None:
        _print(area, output)
    else:
        write_whole(target, area.page)
        render.exact(str(target))
    for one in () if quiet else notes:
        render.note(one.text)


@app.command("diff")
def diff(a: PageArgument, b: PageArgument, output: TableFormatOption = Format.TABLE) -> int:
    """Compare two VMSA pages by register, segment field and unnamed bytes. Exit code 0 if they are equal, 1 if not."""
    if a == b == "-":
        raise UsageError("stdin can be read only once", "give one of the two as a file")
    found = differences(_read(a), _read(b))
    if output is Format.JSON:
        rows = [{"what": one.what, "a": one.a, "b": one.b} for one in found]
        render.json_document({"equal": not found, "differences": rows})
    elif found:
        render.table(("what", "A", "B"), [(one.what, one.a, one.b) for one in found])
    return 1 if found else 0


def _read(file: str) -> SaveArea:
    if file != "-":
        return SaveArea.parse(read_start(Path(file), MAX_INPUT + 1), file)
    try:
        data = sys.stdin.buffer.read(MAX_INPUT + 1)
    except (OSError, ValueError) as error:
        raise unreadable(Path(file), error) from error
    return SaveArea.parse(data, "stdin")


def _print(area: SaveArea, output: Format) -> None:
    if output is Format.HEX:
        render.line(area.page.hex())
        return
    record = area.to_dict()
    if output is Format.JSON:
        render.json_document(record)
        return
    hashes = [("SHA-256", record["sha256"]), ("SHA-384, measured by SNP", record["sha384"])]
    render.facts([*hashes, *(("made by", _origin(origin)) for origin in record["profiles"])], title="VMSA page")
    render.table(
        ("segment", "selector", "attrib", "limit", "base"),
        [(name, *segment.values()) for name, segment in record["segments"].items()],
    )
    if record["registers"]:
        render.facts(record["registers"].items(), title="registers that are not zero")
    if record["unnamed"]:
        render.facts(((run["offset"], run["data"]) for run in record["unnamed"]), title="bytes without a name")


def _origin(origin: dict[str, Any]) -> str:
    """One line, such as `qemu-kvm-init2 under sev-snp: BSP at 0xfffffff0, sev_features 0x1`."""
    text = f"{origin['vmm']} under {origin['technology']}: {origin['vcpu'].upper()} at {origin['start']}"
    if origin["vcpu_signature"]:
        text += f", vCPU signature {origin['vcpu_signature']} ({', '.join(origin['vcpu_types']) or 'no name'})"
    return f"{text}, sev_features {origin['sev_features']}"
