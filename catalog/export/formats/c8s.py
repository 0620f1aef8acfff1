"""`c8s`: manifest of a node image, version 3, which pins a launch digest for each number of vCPUs.

Keys that c8s does not read are allowed, but the manifest has none beside those of its own builds.
Source: confidential-dot-ai/c8s, pkg/runtimemeasure/manifest_snp.go (LoadSNPImageManifest).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from catalog.export.export_format import ExportFormat
from catalog.export.exported import Export, ExportFile

VERSION = 3


class C8sManifest(ExportFormat):
    """JSON; c8s refuses a manifest with two digests for one number of vCPUs."""

    name = "c8s"
    title = "manifest of a node image for c8s: c8s get-kubeconfig --image-manifest"
    file_name = "c8s-manifest.json"
    why_no_other = "c8s pins an MRTD only together with RTMR1 and RTMR2, which no catalog has"
    takes_updates = True

    def files(self, export: Export) -> Sequence[ExportFile]:
        variants = [
            {"smp": vcpus, "measurement": _measurement(row.digest, vcpus)} for vcpus, row in export.by_vcpus().items()
        ]
        data = json.dumps({"version": VERSION, "snp_variants": variants}, indent=2).encode() + b"\n"
        return [ExportFile.of(self.file_name, "application/json", data)]


def _measurement(digest: bytes, vcpus: int) -> dict[str, str | int]:
    return {"algorithm": "sha384", "snp_launch_digest": digest.hex(), "vmsa_count": vcpus}


FORMAT = C8sManifest()
