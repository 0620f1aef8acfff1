"""Endorsed digests, made for tests."""

from __future__ import annotations

from typing import Any

import msgspec

from catalog.rows.endorsed_record import EndorsedRecord

SNP_DIGEST = "5a" * 48
DOCUMENT = "d0" * 32
FIRMWARE = "f1" * 32


def endorsed(digest: str = SNP_DIGEST, **changed: Any) -> EndorsedRecord:
    """A record with every field given. changed: other values by field; claims and fields of the endorser, too."""
    endorser = {"scheme": "azure-uvm", "id": "did:x509:0", "feed": "a feed", "svn": 7}
    claims: dict[str, Any] = {"vcpus": 4, "policy": "0x30000", "firmware_sha256": FIRMWARE}
    values: dict[str, Any] = {
        "type": "endorsed",
        "launch_digest": digest,
        "technology": "sev-snp",
        "endorser": endorser | {name: changed.pop(name) for name in tuple(changed) if name in endorser},
        "claims": changed.pop("claims", claims),
        "document_sha256": DOCUMENT,
        "document_time": 1_700_000_000,
        "checked": "signature",
        "certificate_until": 1_700_000_001,
        "origin": "https://a.example",
    }
    return msgspec.convert(values | changed, EndorsedRecord)


def listed(digest: str = SNP_DIGEST, **changed: Any) -> EndorsedRecord:
    """A record of a value whose document is not kept."""
    nothing = {"document_sha256": None, "document_time": None, "checked": "none", "certificate_until": None}
    by = {"scheme": "published-list", "id": "https://a.example/list", "feed": None, "svn": None}
    return endorsed(digest, **(nothing | by | {"claims": {}} | changed))
