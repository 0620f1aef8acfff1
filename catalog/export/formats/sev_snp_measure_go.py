"""`sev-snp-measure-go`: metadata of an OVMF image, with which it computes launch digests without the image.

Source: virtee/sev-snp-measure-go, ovmf/ovmf.go (MetadataWrapper), guest/guest.go (LaunchDigestFromMetadataWrapper,
which measures no kernel and refuses sections that it does not know) and guest/testdata/ovmf_img_1.json (its layout).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat
from catalog.export.exported import Export, ExportFile
from catalog.export.one_image import any_launch_note, one_image
from catalog.firmware.metadata import SectionType
from catalog.notes import Note

_MEASURED = (SectionType.SNP_SEC_MEM, SectionType.SNP_SECRETS, SectionType.CPUID, SectionType.SVSM_CAA)


class GoMetadata(ExportFormat):
    """JSON of one image: its sections, the reset vector, and the SNP launch digest after the image."""

    name = "sev-snp-measure-go"
    title = "metadata JSON of an OVMF image, from which sev-snp-measure-go computes launch digests"
    file_name = "ovmf-metadata.json"
    why_no_other = "sev-snp-measure-go computes no MRTD"
    depends_on = frozenset({"firmware"})

    def files(self, export: Export) -> Sequence[ExportFile]:
        firmware, _ = one_image(export, with_kernel=False)
        if firmware.reset_vector is None:
            raise UsageError("sev-snp-measure-go needs the reset vector of an AP, and it is not known")
        items = [
            {"GPA": f"{section.gpa:#x}", "SectionTypeInt": section.kind, "Size": f"{section.size:#x}"}
            for section in firmware.sections
        ]
        metadata = {
            "MetadataItems": items,
            "ResetEIP": f"{firmware.reset_vector:#x}",
            "OVMFHash": firmware.snp_baseline.hex(),
        }
        data = json.dumps(metadata, indent=4).encode() + b"\n"
        return [ExportFile.of(self.file_name, "application/json", data)]

    def notes(self, export: Export) -> Sequence[Note]:
        firmware, _ = one_image(export, with_kernel=False)
        notes = [any_launch_note("an image")]
        if refused := [section.name for section in firmware.sections if section.kind not in _MEASURED]:
            text = f"sev-snp-measure-go measures no image with a section {refused[0]}: use it for other images"
            notes.append(Note("consumer-refuses", text))
        return notes


FORMAT = GoMetadata()
