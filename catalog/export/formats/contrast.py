"""`contrast`: patches (RFC 6902) that set the launch digest in the reference values of a Contrast manifest.

A patch is applied to each reference value for which its tests hold: those of one product line and number of vCPUs.
Source: edgelesssys/contrast, internal/manifest/referencevalues.go (PatchesFromFiles, Patch, SNPReferenceValues),
cli/cmd/generate.go (an existing manifest is not patched).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat
from catalog.export.exported import Export, ExportFile
from catalog.notes import Note

PRODUCTS = ("Milan", "Genoa")
"""The product lines that Contrast accepts. No row says on which processors it is launched."""


class ContrastPatches(ExportFormat):
    """A list of patches, one for each number of vCPUs; of two patches with equal tests, the second would win."""

    name = "contrast"
    title = "patches of reference values: contrast generate --reference-value-patches FILE"
    file_name = "contrast-patch.json"
    why_no_other = "Contrast pins an MRTD together with the RTMRs of the same firmware, which no catalog has"
    settings = frozenset({"product"})
    required = frozenset({"product"})

    def files(self, export: Export) -> Sequence[ExportFile]:
        product = export.settings.product
        if product not in PRODUCTS:
            raise UsageError(f"Contrast knows no product line {product!r}", f"--product {' or '.join(PRODUCTS)}")
        patches = [_patch(product, vcpus, row.digest) for vcpus, row in export.by_vcpus().items()]
        data = json.dumps(patches, indent=2).encode() + b"\n"
        return [ExportFile.of(self.file_name, "application/json", data)]

    def check_rows(self, export: Export) -> None:
        export.by_vcpus()

    def notes(self, export: Export) -> Sequence[Note]:
        text = (
            f"a patch changes the reference values for {export.settings.product} with that number of vCPUs on every "
            "platform; Contrast says nothing if none fits, or if it ignores patches because there is a manifest already"
        )
        return [Note("export-accepts-more", text)]


def _patch(product: str, vcpus: int, digest: bytes) -> list[dict[str, Any]]:
    """The operations of one patch."""
    return [
        {"op": "test", "path": "/ProductName", "value": product},
        {"op": "test", "path": "/CPUs", "value": vcpus},
        {"op": "replace", "path": "/TrustedMeasurement", "value": digest.hex()},
    ]


FORMAT = ContrastPatches()
