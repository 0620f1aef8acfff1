"""`kata`: an ID block in the words of Kata Containers, for the table [hypervisor.qemu] of its configuration.

Source: kata-containers/kata-containers, src/runtime/config/configuration-qemu-snp.toml.in, and
src/runtime/pkg/govmm/qemu/qemu.go: kernel-hashes=on always, author-key-enabled never.
"""

from __future__ import annotations

from collections.abc import Sequence

from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat
from catalog.export.exported import Export, ExportFile
from catalog.export.signed_id_block import (
    DEFAULTS,
    REQUIRED,
    SETTINGS,
    id_block_notes,
    other_vmm_notes,
    signed_for_launch,
)
from catalog.notes import Note

_NO_AUTHOR = Note(
    "author-key-not-used",
    "Kata Containers does not set author-key-enabled: the secure processor ignores the author key, and no report "
    "names it",
)


class KataSettings(ExportFormat):
    """Three lines of TOML; Kata takes the ID block and its ID auth structure together, and the policy as a number."""

    name = "kata"
    title = "signed ID block in the configuration of Kata Containers: configuration-qemu-snp.toml"
    settings = SETTINGS
    required = REQUIRED
    defaults = DEFAULTS

    def files(self, export: Export) -> Sequence[ExportFile]:
        signed = signed_for_launch(export)
        if signed.row.kernel_hashes is None:
            raise UsageError(
                "Kata Containers measures kernel hashes in every launch, and this one has none",
                "select a row with --kernel-hashes, or use --to qemu",
            )
        text = (
            f'snp_id_block = "{signed.block_text}"\n'
            f'snp_id_auth = "{signed.auth_text}"\n'
            f"snp_guest_policy = {signed.block.policy}\n"
        )
        return [ExportFile.of("kata.toml", "application/toml", text.encode())]

    def notes(self, export: Export) -> Sequence[Note]:
        author = [_NO_AUTHOR] if export.settings.author_key else []
        return [*id_block_notes(export), *other_vmm_notes(export), *author]


FORMAT = KataSettings()
