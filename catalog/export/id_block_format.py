"""Formats with a signed ID block: what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat, Readers
from catalog.export.exported import Export
from catalog.export.settings import GUEST_DEFAULTS
from catalog.export.signed_id_block import id_block_notes, launch_row, other_vmm_notes
from catalog.notes import Note


class IdBlockFormat(ExportFormat):
    """A format with the ID block of one launch digest, signed by a key of the settings."""

    readers = Readers.LAUNCHERS
    why_no_other = "no TDX module compares an ID block, or an MRTD, before a TD runs"
    settings = frozenset({"id_key", "author_key", "passphrase", "policy", "guest_svn", "family_id", "image_id"})
    required = frozenset({"id_key"})
    defaults = GUEST_DEFAULTS

    def notes(self, export: Export) -> Sequence[Note]:
        return id_block_notes(export)


class QemuLaunchFormat(IdBlockFormat):
    """One that also says how QEMU launches the guest, so the launch of the digest has to be known."""

    depends_on = frozenset({"vmm"})
    takes_igvm: ClassVar[bool] = False
    """Whether it says how an IGVM file is launched."""

    def check_rows(self, export: Export) -> None:
        firmware = launch_row(export).firmware
        if firmware and firmware.is_igvm and not self.takes_igvm:
            raise UsageError(
                f"this format launches a firmware image, and {firmware.name} is an IGVM file",
                "--to igvm-id-block writes the ID block as a directive of such a file",
            )

    def notes(self, export: Export) -> Sequence[Note]:
        return [*super().notes(export), *other_vmm_notes(export)]
