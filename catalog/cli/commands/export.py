"""`ldcat export`: write launch digests in the form that another system checks them in."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.cli.catalogs import is_set_here, open_named
from catalog.cli.declare.declared import BadValue
from catalog.cli.export_settings import files_read, read_settings, with_settings
from catalog.cli.help_form import RELEASE_CODES, Example, Group
from catalog.cli.options import (
    OUTPUT,
    CatalogOption,
    QuietOption,
    TrustOption,
    named_location,
    named_path,
    number_option,
)
from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat, export_format_named, export_formats
from catalog.export.exported import Export, ExportFile
from catalog.export.setting_table import check_settings
from catalog.export.sidecar import DescribedFile, Sidecar, make_sidecar
from catalog.notes import INFO, OK, Note
from catalog.store.catalog import Catalog
from catalog.terminal import render
from catalog.verify.location import CatalogLocation
from catalog.verify.opening import Freshness

if TYPE_CHECKING:
    from catalog.export.export_changes import Changes

HELP_ORDER = 125
HELP_GROUP = Group.PLATFORM_OWNERS
EXAMPLES = (
    Example(
        "ldcat export --to rvps --firmware sid/ovmf-amdsev/OVMF.amdsev.fd --kernel-hashes debian-13-cloud-6.12.107 "
        "--vmm qemu-kvm-init2 --vcpus 1-4 --catalog public --trust trust.note",
        "Write reference values for trustee, for guests with 1 to 4 vCPUs",
    ),
    Example(
        "ldcat export --to rvps $(cat digests.txt) --catalog public --trust trust.note -o values.json",
        "Write the launch digests of a list, and a sidecar that says where they are from",
    ),
)
EXIT_CODES = RELEASE_CODES | {0: "exported", 1: "a launch digest is not in the catalog, or may not be exported"}

NOT_OPTIONS = {
    "--insecure-skip-verify": "leave it out: who reads an export trusts it, so the release is always verified",
    "--format": "the format of an export is --to FORMAT; ldcat list export-formats lists them",
}
"""Hints for options that other commands have."""

_DIFF = "name two releases of one log: --diff OLD NEW"
_ROWS = "Rows to select"
_RULES = "What is exported only if an option allows it"


_DigestsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="DIGEST...", help="SEV-SNP or TDX launch digests in hex or base64.")
]
_ToOption = Annotated[
    str | None,
    typer.Option("--to", metavar="FORMAT", help="Format to write; ldcat list export-formats lists them."),
]


def _row(metavar: str, text: str, parser: Callable[[str], Any] | None = None) -> Any:
    return typer.Option(metavar=metavar, help=text, parser=parser, rich_help_panel=_ROWS)


def _allowing(option: str, text: str) -> Any:
    return typer.Option(option, help=text, rich_help_panel=_RULES)


_FirmwareOption = Annotated[
    str | None,
    _row(
        "NAME|HASH",
        "Firmware: name of a build, SHA-256 of the image, or, if nobody publishes that, its SNP baseline: the launch "
        "digest after the image alone.",
    ),
]
_KernelsOption = Annotated[str | None, _row("NAME|SHA256|none", "Kernel hashes table by name or SHA-256, or none.")]
_ProfileOption = Annotated[str | None, _row("PROFILE", "VMM profile.")]
_CountsOption = Annotated[str | None, _row("N", "Number of vCPUs, or several numbers: 1-64,96.")]
_TypeOption = Annotated[str | None, _row("NAME", "vCPU model, as QEMU names it.")]
_SignatureOption = Annotated[int | None, _row("N", "vCPU signature: CPUID Fn0000_0001 EAX.", number_option)]
_FeaturesOption = Annotated[int | None, _row("BITS", "sev_features of the VMSA.", number_option)]
_LaunchUnknownOption = Annotated[bool, _allowing("--launch-unknown", "Also builds that are not known to launch.")]
_UnenforcedOption = Annotated[
    bool,
    _allowing(
        "--unenforced", "Also kernel hashes that the firmware does not enforce, or may not: it boots any kernel."
    ),
]
_NoKernelOption = Annotated[
    bool,
    _allowing(
        "--no-kernel",
        "Also rows without kernel hashes when several digests are selected: the host chooses what is booted.",
    ),
]
_EndorsedOption = Annotated[
    bool, _allowing("--endorsed", "Also digests that somebody endorses and whose firmware is not known.")
]
_UnpublishedOption = Annotated[bool, _allowing("--unpublished", "Export from a catalog that no log publishes.")]
_DiffOption = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--diff",
        metavar="OLD NEW",
        help="Export from NEW, in place of --catalog, and say what changed since OLD. Releases of one log.",
    ),
]
_PathOption = Annotated[
    Path | None,
    typer.Option(
        *OUTPUT, parser=named_path, metavar="PATH", help="File or folder to write; if not given, standard output."
    ),
]


@with_settings
def command(
    digests: _DigestsArgument = None,
    to: _ToOption = None,
    firmware: _FirmwareOption = None,
    kernel_hashes: _KernelsOption = None,
    vmm: _ProfileOption = None,
    vcpus: _CountsOption = None,
    vcpu_type: _TypeOption = None,
    vcpu_signature: _SignatureOption = None,
    sev_features: _FeaturesOption = None,
    launch_unknown: _LaunchUnknownOption = False,
    unenforced: _UnenforcedOption = False,
    no_kernel: _NoKernelOption = False,
    endorsed: _EndorsedOption = False,
    unpublished: _UnpublishedOption = False,
    catalog: CatalogOption = None,
    trust: TrustOption = None,
    diff: _DiffOption = None,
    path: _PathOption = None,
    given: Mapping[str, Any] = {},
    quiet: QuietOption = False,
) -> int:
    """Write launch digests in the form that another system checks them in.

    The release is verified first. A selection is needed: launch digests, or --vmm with --vcpus, --vcpu-type or
    --vcpu-signature. Revoked rows and rows that are not expected to launch are never exported. With --output a sidecar
    is written, too, which names release, checkpoint and selection.
    """
    from catalog.export.export_changes import changed_export  # cryptography takes long to load
    from catalog.export.export_made import make_export
    from catalog.export.export_output import check_not_read, check_output, replaced_notes
    from catalog.export.rows.selection import make_selection

    chosen = _chosen(to)
    check_settings(chosen, given)
    _check_terminal(chosen, path)
    fields = {
        "firmware_sha256": firmware,
        "kernel_hashes_sha256": kernel_hashes,
        "vmm": vmm,
        "vcpu_type": vcpu_type,
        "vcpu_signature": vcpu_signature,
        "sev_features": sev_features,
    }
    flags = {
        "--launch-unknown": launch_unknown,
        "--unenforced": unenforced,
        "--no-kernel": no_kernel,
        "--endorsed": endorsed,
        "--unpublished": unpublished,
    }
    options = [option for option, is_given in flags.items() if is_given]
    old, catalog = _compared(chosen, diff, catalog)
    selection = make_selection(digests or (), fields, vcpus)
    _check_local(catalog, trust, unpublished=unpublished)
    settings = read_settings(given)
    now, changes = int(time.time()), None
    opened = _open(catalog, trust, Freshness.NEWEST, quiet=quiet)
    if old is None:
        made = make_export(opened, selection, options, settings, now=now)
    else:
        before = _open(old, trust, Freshness.PAST, quiet=quiet)
        made, changes = changed_export(before, opened, selection, options, settings, now=now)
    chosen.check_technology(made.export)
    files = chosen.files(made.export)
    check_output(path, chosen, files)
    check_not_read(path, files_read(given, trust))
    notes = [*made.notes, *chosen.notes(made.export)]
    replaced = replaced_notes(path, chosen, made.export)
    _write(chosen, made.export, files, notes, changes, path)
    _say(made.export, [*notes, *replaced], changes, quiet=quiet)
    return 0


def _open(location: CatalogLocation | None, trust: Path | None, freshness: Freshness, *, quiet: bool) -> Catalog:
    """As `open_named`, without its hint at an option that this command does not have."""
    try:
        return open_named(location, trust, skip=False, quiet=quiet, freshness=freshness)
    except UsageError as error:
        if "--insecure-skip-verify" in (error.hint or ""):
            error.hint = "--trust FILE, the trust note of its publisher"
        raise


def _compared(
    chosen: ExportFormat, diff: tuple[str, str] | None, catalog: CatalogLocation | None
) -> tuple[CatalogLocation | None, CatalogLocation | None]:
    """The old catalog, if two are compared, and the one that is exported from. Raises UsageError."""
    if diff is None:
        return None, catalog
    if not chosen.takes_updates:
        others = ", ".join(name for name, one in export_formats().items() if one.takes_updates)
        raise UsageError(
            f"what reads {chosen.name} does not replace a list of values, so there is no --diff",
            f"leave it out; formats with --diff: {others}",
        )
    if any(one.startswith("-") for one in diff):
        raise UsageError(f"--diff takes two values, and {diff[0]} {diff[1]} are given", _DIFF)
    if catalog is not None and not is_set_here(catalog):
        raise UsageError("--catalog and --diff are given", "leave --catalog out: NEW of --diff OLD NEW is exported")
    try:
        old, new = map(named_location, diff)
    except BadValue as error:
        raise UsageError(f"invalid value for '--diff': {error}", _DIFF) from error
    return old, new


def _chosen(name: str | None) -> ExportFormat:
    if name is None:
        raise UsageError("no format is given", "--to FORMAT; ldcat list export-formats lists them with what reads them")
    return export_format_named(name)


def _check_terminal(chosen: ExportFormat, path: Path | None) -> None:
    """Raises UsageError for an export that standard output cannot have, before anything else is done."""
    if path is None and chosen.is_folder:
        raise UsageError(f"{chosen.name} is several files", "give a folder: -o FOLDER")
    if path is None and chosen.is_binary and sys.stdout.isatty():
        raise UsageError(f"{chosen.name} is binary, and standard output is a terminal", "give a file: -o FILE")


def _check_local(catalog: object, trust: Path | None, *, unpublished: bool) -> None:
    """Raises UsageError for the default catalog, which nobody publishes, before it is built."""
    from catalog.export.export_made import not_published

    if catalog is None and trust is None and not unpublished:
        raise not_published("the default catalog")


def _say(export: Export, notes: Sequence[Note], changes: Changes | None, *, quiet: bool) -> None:
    """Print what is exported, the notes, and what changed: warnings always, the rest unless `quiet`."""
    if not quiet:
        source = export.source
        where = f"catalog {source.catalog}, not published"
        if source.origin is not None:
            where = f"release {source.release} of {source.origin}, checkpoint of {source.size:,} leaves"
        count = len(export.digests)
        render.note(f"{where}: {count:,} launch digest{'' if count == 1 else 's'}")
    for note in notes:
        if note.severity not in (OK, INFO):
            render.warning(note.text)
        elif not quiet:
            render.note(note.text)
    for text in changes.lines() if changes and not quiet else ():
        render.note(text)


def _write(
    chosen: ExportFormat,
    export: Export,
    files: Sequence[ExportFile],
    notes: Sequence[Note],
    changes: Changes | None,
    path: Path | None,
) -> None:
    from catalog.export.export_output import write_export
    from catalog.export.stated_settings import stated_settings

    if path is None:
        render.data(chunk for file in files for chunk in file.chunks())
        return

    settings = stated_settings(chosen, export)

    def describe(described: Sequence[DescribedFile]) -> Sidecar:
        changed = None if changes is None else changes.in_sidecar()
        return make_sidecar(chosen.name, export.source, export.digests, described, notes, changed, settings)

    write_export(path, chosen, export, files, describe)
