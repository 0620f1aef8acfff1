"""Formats with a signed ID block: what they have in common."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.export.export_format import ExportFormat, Readers
from catalog.export.exported import Export
from catalog.export.settings import GUEST_DEFAULTS
from catalog.export.signed_id_block import id_block_notes, launch_row, other_vmm_notes
from catalog.notes import Note


class IdBlockFormat(ExportFormat):
    """A format with the ID block of one launch digest, signed by a key of the settings."""

    readers = Readers.LAUNCHERS
    settings = frozenset({"id_key", "author_key", "passphrase", "policy", "guest_svn", "family_id", "image_id"})
    required = frozenset({"id_key"})
    defaults = GUEST_DEFAULTS

    def notes(self, export: Export) -> Sequence[Note]:
        return id_block_notes(export)


class QemuLaunchFormat(IdBlockFormat):
    """One that also says how QEMU launches the guest, so the launch of the digest has to be known."""

    depends_on = frozenset({"vmm"})

    def check_rows(self, export: Export) -> None:
        launch_row(export)

    def notes(self, export: Export) -> Sequence[Note]:
        return [*super().notes(export), *other_vmm_notes(export)]
