"""`qemu`: an ID block as the argument of QEMU that makes an SEV-SNP guest.

Source: QEMU 9.1, qapi/qom.json (SevSnpGuestProperties) and target/i386/sev.c; QEMU 10.1, docs/system/igvm.rst.
"""

from __future__ import annotations

from collections.abc import Sequence

from catalog.export.exported import Export, ExportFile
from catalog.export.id_block_format import QemuLaunchFormat
from catalog.export.signed_id_block import launch_row, signed_for_launch
from catalog.notes import Note

C_BIT, REDUCED_PHYS_BITS = 51, 1
"""Of all processors with SEV-SNP so far: CPUID Fn8000_001F EBX."""


class QemuArguments(QemuLaunchFormat):
    """One line, `-object sev-snp-guest,...`; the rest of the command line is not a matter of the ID block."""

    name = "qemu"
    title = "signed ID block as an argument of QEMU: -object sev-snp-guest"
    file_name = "qemu.args"
    takes_igvm = True

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

    def notes(self, export: Export) -> Sequence[Note]:
        firmware = launch_row(export).firmware
        notes = list(super().notes(export))
        if firmware and firmware.is_igvm:
            text = f"QEMU needs {firmware.name}, too: -object igvm-cfg,id=igvm0,file=FILE, and -machine igvm-cfg=igvm0"
            notes.append(Note("launch-incomplete", text))
        return notes


FORMAT = QemuArguments()
