"""One image: the components of exported rows, for formats that describe them and no launch."""

from __future__ import annotations

from catalog.errors import UsageError
from catalog.export.exported import Export, ExportRow
from catalog.firmware.component import FirmwareComponent
from catalog.notes import Note


def one_image(export: Export, *, with_kernel: bool) -> tuple[FirmwareComponent, ExportRow]:
    """The firmware of all rows, and one of them. with_kernel: whether kernel, initrd and command line count, too.

    Raises UsageError if the firmware of a row is not known, or two rows have different components.
    """
    found: dict[object, tuple[FirmwareComponent, ExportRow]] = {}
    for row in export.rows:
        if row.firmware is None:
            raise UsageError(
                f"this format describes firmware, and that of {row.digest.hex()[:16]}... is not known",
                "ldcat lookup says of a digest what is known",
            )
        if row.firmware.is_igvm:
            raise UsageError(
                f"this format describes a firmware image, and {row.firmware.name} is an IGVM file",
                "select another launch: --firmware",
            )
        firmware = row.firmware.image
        kernel = (row.kernel_hashes, row.append) if with_kernel else None
        found.setdefault((firmware.snp_baseline, kernel), (firmware, row))
    first, *others = found.values()
    if others:
        what, options = "firmware image", "--firmware"
        if with_kernel:
            what, options = "firmware image with one kernel", "--firmware and --kernel-hashes"
        raise UsageError(f"this format describes one {what}, but {len(found)} are selected", f"select one: {options}")
    return first


def any_launch_note(what: str) -> Note:
    """The note on a file that says nothing of a launch. what: it describes."""
    text = (
        f"the file describes {what}, and no launch: its reader computes digests for any number and type of vCPUs, "
        "also those of rows that are revoked or not selected"
    )
    return Note("export-accepts-more", text)
