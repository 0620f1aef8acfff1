"""`dstack`: measurement.snp.cbor, from which dstack's verifier computes the launch digests of an image.

Keys are in the order of the fields of dstack's struct, as dstack writes them; heads are the shortest of RFC 8949.
Source: Dstack-TEE/dstack, dstack-types/src/lib.rs (SevOsImageMeasurement), dstack-mr/src/sev.rs (what is accepted, and
that white space around the command line is not measured).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat
from catalog.export.exported import Export, ExportFile, ExportRow
from catalog.export.one_image import any_launch_note, one_image
from catalog.export.writers.cbor_writer import encode
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.metadata import SectionType
from catalog.imports.cbor import MAP, head
from catalog.notes import Note

FILE_NAME = "measurement.snp.cbor"
"""By this name an image's sha256sum.txt has to list it."""
VERSION = 3

_ROOT_HASH = re.compile(r"(?<!\S)dstack\.rootfs_hash=[0-9a-fA-F]{64}(?!\S)")
_TYPES = frozenset(SectionType)


class DstackMeasurement(ExportFormat):
    """CBOR of one firmware image with its kernel, initrd and command line."""

    name = "dstack"
    title = f"{FILE_NAME} of an image, from which dstack's verifier computes launch digests"
    file_name = FILE_NAME
    why_no_other = "dstack's file for TDX also has the kernel's Authenticode hash and a TD HOB, which no catalog has"
    depends_on = frozenset({"firmware", "kernel_hashes"})
    is_binary = True

    def files(self, export: Export) -> Sequence[ExportFile]:
        firmware, row = one_image(export, with_kernel=True)
        data = _map({"version": VERSION} | _kernel(row, firmware.snp_baseline) | _firmware(firmware))
        return [ExportFile.of(FILE_NAME, "application/cbor", data)]

    def notes(self, export: Export) -> Sequence[Note]:
        _, row = one_image(export, with_kernel=True)
        notes = [any_launch_note("firmware, kernel, initrd and command line")]
        if not _ROOT_HASH.search(row.append or ""):
            text = "dstack refuses images whose command line has no dstack.rootfs_hash= with a SHA-256"
            notes.append(Note("consumer-refuses", text))
        return notes


def _kernel(row: ExportRow, snp_baseline: bytes) -> dict[str, Any]:
    """The fields up to `initrd_hash`; raises UsageError for what dstack does not accept, or measures otherwise.

    Without an initrd, dstack has the hash of the empty file, too.
    """
    if row.kernel_hashes is None:
        raise UsageError("dstack measures a kernel, and none is measured here", "select one: --kernel-hashes")
    if row.append is None:
        raise UsageError("dstack needs the command line, and only its hash is known")
    if row.append != row.append.strip():
        raise UsageError("dstack leaves white space at the ends of a command line out; here it is measured")
    hashes = {"kernel_hash": row.kernel_hashes.kernel, "initrd_hash": row.kernel_hashes.initrd}
    return {"cmdline": row.append, "ovmf_hash": snp_baseline, **hashes}


def _firmware(firmware: FirmwareComponent) -> dict[str, Any]:
    """The other fields; raises UsageError for firmware that dstack does not accept."""
    area, types = firmware.hashes_area, [section.kind for section in firmware.sections]
    if not area:
        why = "the firmware has none" if firmware.knows_hashes_area else "its address is not known"
        raise UsageError(f"dstack needs a kernel hashes area, and {why}")
    if not firmware.reset_vector:
        raise UsageError("dstack needs the reset vector of an AP, and it is not known")
    if not set(types) <= _TYPES or SectionType.SNP_KERNEL_HASHES not in types:
        raise UsageError("dstack takes firmware whose sections are of known types, one of them for kernel hashes")
    sections = [{"gpa": one.gpa, "size": one.size, "type": one.kind} for one in firmware.sections]
    return {"hashes_table_gpa": area.gpa, "reset_eip": firmware.reset_vector, "ovmf_sections": sections}


def _map(fields: Mapping[str, Any]) -> bytes:
    """A map whose keys keep their order."""
    return head(MAP, len(fields)) + b"".join(encode(name) + encode(value) for name, value in fields.items())


FORMAT = DstackMeasurement()
