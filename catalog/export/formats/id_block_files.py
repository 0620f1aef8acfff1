"""`id-block`: an ID block, its ID auth structure, and the digests of its keys, as bytes.

Source: SEV-SNP ABI (56860), 8.18, SNP_LAUNCH_FINISH; KVM_SEV_SNP_LAUNCH_FINISH takes both.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from catalog.export.exported import Export, ExportFile
from catalog.export.id_block_format import IdBlockFormat
from catalog.export.signed_id_block import signed_id_block

_BYTES = "application/octet-stream"


class IdBlockFiles(IdBlockFormat):
    """A folder; id-keys.json has the digests by which a report names the keys."""

    name = "id-block"
    title = "signed ID block: the secure processor refuses a launch with another digest"
    file_name = "id-block"
    is_folder = True
    is_binary = True

    def files(self, export: Export) -> Sequence[ExportFile]:
        signed = signed_id_block(export)
        digests = {"id_key_digest": signed.auth.id_key.digest().hex()}
        if signed.auth.author_key:
            digests["author_key_digest"] = signed.auth.author_key.digest().hex()
        return [
            ExportFile.of("id-block.bin", _BYTES, signed.block.to_bytes()),
            ExportFile.of("id-auth.bin", _BYTES, signed.auth.to_bytes()),
            ExportFile.of("id-keys.json", "application/json", json.dumps(digests, indent=1).encode()),
        ]


FORMAT = IdBlockFiles()
