"""`kata`: an ID block in the words of Kata Containers, for the table [hypervisor.qemu] of its configuration.

Source: kata-containers/kata-containers, src/runtime/config/configuration-qemu-snp.toml.in, and
src/runtime/pkg/govmm/qemu/qemu.go: kernel-hashes=on always, author-key-enabled never.
"""

from __future__ import annotations

from collections.abc import Sequence

from catalog.errors import UsageError
from catalog.export.exported import Export, ExportFile
from catalog.export.id_block_format import QemuLaunchFormat
from catalog.export.signed_id_block import launch_row, signed_for_launch, vcpu_signature_text
from catalog.notes import Note

_SIGNATURE = 0x00800F12
"""Of the vCPU model EPYC-v4, with which Kata Containers launches on every host."""

_INCOMPLETE = Note(
    "launch-incomplete",
    "the lines set no launch: number of vCPUs, firmware, kernel, initrd and command line are those of Kata's "
    "configuration and of the pod, and have to be those of the digest",
)
_NO_AUTHOR = Note(
    "author-key-not-used",
    "Kata Containers does not set author-key-enabled: the secure processor ignores the author key, and no report "
    "names it",
)


class KataSettings(QemuLaunchFormat):
    """Three lines of TOML; Kata takes the ID block and its ID auth structure together, and the policy as a number."""

    name = "kata"
    title = "signed ID block in the configuration of Kata Containers: configuration-qemu-snp.toml"
    file_name = "kata.toml"
    depends_on = frozenset({"kernel_hashes", "vmm"})

    def files(self, export: Export) -> Sequence[ExportFile]:
        self.check_rows(export)
        signed = signed_for_launch(export)
        text = (
            f'snp_id_block = "{signed.block_text}"\n'
            f'snp_id_auth = "{signed.auth_text}"\n'
            f"snp_guest_policy = {signed.block.policy}\n"
        )
        return [ExportFile.of(self.file_name, "application/toml", text.encode())]

    def check_rows(self, export: Export) -> None:
        super().check_rows(export)
        if launch_row(export).kernel_hashes is None:
            raise UsageError(
                "Kata Containers measures kernel hashes in every launch, and this one has none",
                "select a row with --kernel-hashes, or use --to qemu",
            )

    def notes(self, export: Export) -> Sequence[Note]:
        notes = [*super().notes(export), _INCOMPLETE]
        if any(row.vcpu_signature not in (None, _SIGNATURE) for row in export.rows):
            text = f"Kata Containers launches with EPYC-v4, not with {vcpu_signature_text(export)}: no pod will start"
            notes.append(Note("launch-of-other-vcpu-type", text))
        return [*notes, _NO_AUTHOR] if export.settings.author_key else notes


FORMAT = KataSettings()
