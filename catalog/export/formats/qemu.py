"""`qemu`: an ID block as the argument of QEMU that makes an SEV-SNP guest.

Source: QEMU 9.1, qapi/qom.json (SevSnpGuestProperties) and target/i386/sev.c.
"""

from __future__ import annotations

from collections.abc import Sequence

from catalog.export.export_format import ExportFormat, Readers
from catalog.export.exported import Export, ExportFile
from catalog.export.signed_id_block import (
    DEFAULTS,
    REQUIRED,
    SETTINGS,
    id_block_notes,
    launch_row,
    other_vmm_notes,
    signed_for_launch,
)
from catalog.notes import Note

C_BIT, REDUCED_PHYS_BITS = 51, 1
"""Of all processors with SEV-SNP so far: CPUID Fn8000_001F EBX."""


class QemuArguments(ExportFormat):
    """One line, `-object sev-snp-guest,...`; the rest of the command line is not a matter of the ID block."""

    name = "qemu"
    title = "signed ID block as an argument of QEMU: -object sev-snp-guest"
    readers = Readers.LAUNCHERS
    file_name = "qemu.args"
    depends_on = frozenset({"firmware", "vmm"})
    settings = SETTINGS
    required = REQUIRED
    defaults = DEFAULTS

    def files(self, export: Export) -> Sequence[ExportFile]:
        signed = signed_for_launch(export)
        properties = {
            "id": "sev0",
            "cbitpos": C_BIT,
            "reduced-phys-bits": REDUCED_PHYS_BITS,
            "policy": f"{signed.block.policy:#x}",
            "kernel-hashes": "on" if signed.row.kernel_hashes else "off",
            "id-block": signed.block_text,
            "id-auth": signed.auth_text,
        }
        if signed.auth.author_key:
            properties["author-key-enabled"] = "on"
        text = ",".join(["-object sev-snp-guest", *(f"{name}={value}" for name, value in properties.items())])
        return [ExportFile.of(self.file_name, "text/plain; charset=utf-8", f"{text}\n".encode())]

    def check_rows(self, export: Export) -> None:
        launch_row(export)

    def notes(self, export: Export) -> Sequence[Note]:
        return [*id_block_notes(export), *other_vmm_notes(export)]


FORMAT = QemuArguments()
