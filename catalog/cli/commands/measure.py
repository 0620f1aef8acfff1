"""`ldcat measure`: compute the launch digests of one configuration, by number of vCPUs, or of each line of a batch."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

from catalog.ask.measure import AnyMeasured, Workbench
from catalog.ask.measure_request import MAX_LINE, Request
from catalog.cli.catalogs import known_builds
from catalog.cli.declare.declared import Argument, Option
from catalog.cli.help_form import RELEASE_CODES, Example, Group
from catalog.cli.launch_options import (
    AppendOption,
    AppendSha256Option,
    InitrdHashOption,
    InitrdOption,
    KernelHashesOption,
    KernelHashOption,
    KernelOption,
    SevFeaturesOption,
    VcpuFamilyOption,
    VcpuModelOption,
    VcpuSignatureOption,
    VcpusOption,
    VcpuSteppingOption,
    VcpuTypeOption,
    VmmOption,
)
from catalog.cli.options import (
    FORMAT,
    BuildsOption,
    QuietOption,
    SkipVerifyOption,
    TrustOption,
    signature_number,
)
from catalog.diff.flat import flat
from catalog.errors import UsageError
from catalog.fast.match_text import fact_lines
from catalog.fast.note_text import part_lines, titled
from catalog.files.inputs import unreadable
from catalog.notes import SEVERITIES, worst_first
from catalog.rows.numbers import parse_counts
from catalog.terminal import render
from catalog.terminal.render import Format

HELP_ORDER = 20
HELP_GROUP = Group.GUEST_OWNERS
EXAMPLES = (
    Example("ldcat measure sid/ovmf-amdsev/OVMF.amdsev.fd -t sev", "Compute the launch digest of a published build"),
    Example(
        "ldcat measure OVMF.fd -t sev-snp --vmm qemu-kvm-init2 --vcpu-type EPYC-Milan --vcpus 1-8",
        "Compute those of your own image for 1 to 8 vCPUs",
    ),
    Example(
        "ldcat measure SVSM.igvm -t sev-snp --vmm coconut-igvm",
        "Compute that of an IGVM file under one of its loaders",
    ),
    Example(
        "ldcat measure sid/ovmf-amdsev/OVMF.amdsev.fd -t sev --kernel vmlinuz --initrd initrd.img "
        "--append 'console=ttyS0'",
        "Include the hashes of a kernel, its initrd and its command line",
    ),
)
EXIT_CODES = RELEASE_CODES | {
    0: "done",
    1: "a line of --batch is in error",
    2: "usage error, or a configuration that cannot launch",
}


def command(
    firmware: Annotated[
        str | None,
        Argument(
            metavar="FIRMWARE", help="Image, IGVM file, PACKAGE:PATH, record, or catalogued build by name or SHA-256."
        ),
    ] = None,
    technology: Annotated[
        str | None,
        Option("--technology", "-t", help="Technology: sev, sev-es, sev-snp or tdx."),
    ] = None,
    kernel: KernelOption = None,
    kernel_sha256: KernelHashOption = None,
    initrd: InitrdOption = None,
    initrd_sha256: InitrdHashOption = None,
    append: AppendOption = None,
    append_sha256: AppendSha256Option = None,
    kernel_hashes: KernelHashesOption = None,
    vmm: VmmOption = None,
    vcpus: VcpusOption = None,
    vcpu_type: VcpuTypeOption = None,
    vcpu_signature: VcpuSignatureOption = None,
    vcpu_family: VcpuFamilyOption = None,
    vcpu_model: VcpuModelOption = None,
    vcpu_stepping: VcpuSteppingOption = None,
    sev_features: SevFeaturesOption = None,
    batch: Annotated[
        str | None,
        Option(metavar="FILE|-", help="JSON Lines to measure; each comes back with launch_digest or error."),
    ] = None,
    catalog: BuildsOption = None,
    trust: TrustOption = None,
    skip_verify: SkipVerifyOption = False,
    output: Annotated[Literal[Format.HEX, Format.TABLE, Format.JSON, Format.JSONL, Format.CSV] | None, FORMAT] = None,
    quiet: QuietOption = False,
) -> int:
    """Compute the launch digests of a configuration.

    For one or more vCPU counts; from an image, or from a catalogued build without its file. A configuration that cannot
    launch has no digest. A warning on stderr says so if a configuration is not expected to launch.
    """
    blobs = (kernel, kernel_sha256, initrd, initrd_sha256, append, append_sha256, kernel_hashes)
    vcpu = (vmm, vcpus, vcpu_type, vcpu_signature, vcpu_family, vcpu_model, vcpu_stepping, sev_features)
    if batch is not None:
        if any(value is not None for value in (firmware, technology, *blobs, *vcpu)):
            raise UsageError("--batch and another input are given", "give only --batch FILE")
        return _measure_batch(Workbench(known_builds(catalog, trust, skip=skip_verify, quiet=quiet)), batch)
    numbers = None if vcpus is None else sorted(parse_counts(vcpus.split(",")))
    request = Request(
        firmware=_given_firmware(firmware),
        technology=_given_technology(technology),
        kernel=kernel,
        kernel_sha256=kernel_sha256,
        initrd=initrd,
        initrd_sha256=initrd_sha256,
        append=append,
        cmdline_sha256=append_sha256,
        kernel_hashes=kernel_hashes,
        vmm=vmm,
        vcpu_type=vcpu_type,
        vcpu_signature=signature_number(vcpu_signature, vcpu_family, vcpu_model, vcpu_stepping),
        sev_features=sev_features,
    )
    builds = known_builds(catalog, trust, skip=skip_verify, quiet=quiet)
    measured = Workbench(builds).measure_counts(request, numbers)
    _print(measured, output or (Format.HEX if len(measured) == 1 else Format.TABLE))
    _say(measured, quiet=quiet)
    return 0


def _given_firmware(firmware: str | None) -> str:
    if firmware is None:
        raise UsageError("no firmware is given", "name an image file or a build; ldcat sql 'FROM firmware' lists them")
    return firmware


def _given_technology(technology: str | None) -> str:
    if technology is None:
        raise UsageError("no technology is given", "--technology sev, sev-es, sev-snp or tdx")
    return technology


def _print(measured: Sequence[AnyMeasured], output: Format) -> None:
    records = [each.to_dict() for each in measured]
    if output is Format.HEX:
        for each in measured:
            render.line(each.digest.hex())
    elif output is Format.JSON:
        render.json_document(records[0] if len(records) == 1 else _together(records))
    elif output is Format.JSONL:
        render.json_lines(records)
    elif output is Format.CSV:
        rows = [flat(record) for record in records]
        render.csv_rows(list(rows[0]), [list(row.values()) for row in rows])
    else:
        hidden = {"notes"} if len(records) == 1 else {"notes", "vcpus", "launch_digest"}
        hidden |= {name for name, value in records[0].items() if value in (None, "")}
        shown = {name: value for name, value in records[0].items() if name not in hidden}
        notes = worst_first(list(dict.fromkeys(note for each in measured for note in each.remarks())))
        facts = fact_lines(list(shown.items()), title=titled(measured[0].name, notes))
        render.answer(part_lines(list(facts), notes))
        if len(records) > 1:
            render.table(["vcpus", "launch_digest"], [[each["vcpus"], each["launch_digest"]] for each in records])


def _together(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One record of several, with what differs in each beside its number of vCPUs, and all their notes."""
    first, notes = records[0], {note["text"]: note for record in records for note in record["notes"]}
    same = {name for name, value in first.items() if all(record[name] == value for record in records)}
    own = ["vcpus", "launch_digest", *(name for name in first if name not in same)]
    each = [name for name in dict.fromkeys(own) if name != "notes"]
    worst = sorted(notes.values(), key=lambda note: SEVERITIES.index(note["severity"]), reverse=True)
    shared = {name: value for name, value in first.items() if name not in each}
    return {"launch_digests": [{name: record[name] for name in each} for record in records], **shared, "notes": worst}


def _say(measured: Sequence[AnyMeasured], *, quiet: bool) -> None:
    """Print warnings, and notes unless `quiet`: each once."""
    for text in dict.fromkeys(note.text for each in measured for note in each.warnings()):
        render.warning(text)
    if not quiet:
        for text in dict.fromkeys(note.text for each in measured for note in each.notes()):
            render.note(text)


def _measure_batch(workbench: Workbench, batch: str) -> int:
    failed = False
    for number, line in _lines(batch):
        answer = workbench.measure_line(line)
        if "error" in answer:
            failed = True
            answer = {"line": number, **answer}
        render.json_lines([answer])
    return 1 if failed else 0


def _lines(batch: str) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each line that is not blank, of a file or stdin; a line is cut after MAX_LINE + 1 bytes.

    Raises Unreadable.
    """
    try:
        with nullcontext(sys.stdin.buffer) if batch == "-" else Path(batch).open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    _skip_rest(file, line)
                if line.strip():
                    yield number, line
    except (OSError, ValueError) as error:
        raise unreadable(Path(batch), error) from error


def _skip_rest(file: BinaryIO, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = file.readline(MAX_LINE)
