"""`rvps`: a message that trustee's reference value provider service registers (`rvps-tool register`, POST to the KBS).

Source: confidential-containers/trustee, rvps/src/lib.rs (Message) and rvps/src/extractors/sample (version 0.1.0).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from catalog.export.export_format import ExportFormat
from catalog.export.exported import Export, ExportFile

DEFAULT_NAME = "snp_launch_measurement"


class RvpsMessage(ExportFormat):
    """One line of JSON: version, type, and the reference values in base64."""

    name = "rvps"
    title = "message for trustee's RVPS: rvps-tool register, or POST /kbs/v0/reference-value"
    settings = frozenset({"name"})
    takes_updates = True

    def files(self, export: Export) -> Sequence[ExportFile]:
        values = {export.settings.name or DEFAULT_NAME: [digest.hex() for digest in export.digests]}
        payload = base64.b64encode(json.dumps(values, separators=(",", ":")).encode()).decode()
        message = {"version": "0.1.0", "type": "sample", "payload": payload}
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        return [ExportFile.of("rvps-message.json", "application/json", data)]


FORMAT = RvpsMessage()
