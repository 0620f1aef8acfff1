"""The columns of launch digests as Arrow and Parquet have them."""

from __future__ import annotations

import pyarrow as pa

_SHA256 = pa.binary()  # pyarrow writes codes of a dictionary as they are, but not for values of fixed length


KEY_COLUMNS = [
    pa.field("technology", pa.string(), nullable=False),
    pa.field("firmware_sha256", _SHA256, nullable=False),
    pa.field("kernel_hashes_sha256", _SHA256),
    pa.field("vmm", pa.string()),
    pa.field("bsp_vmsa_sha256", _SHA256),
    pa.field("ap_vmsa_sha256", _SHA256),
    pa.field("vcpu_signature", pa.uint32()),
    pa.field("sev_features", pa.uint64()),
    pa.field("vcpus", pa.uint16()),
]
"""Columns that determine a digest: components by hash, then the numbers. Null: not measured.

kernel_hashes_sha256: of the 176-byte table. ap_vmsa_sha256: null with one vCPU, when no AP is launched.
"""


def digest_schema(technology: str, digest_size: int) -> pa.Schema:
    """Schema of a technology's digests: launch_digest of `digest_size` bytes, then KEY_COLUMNS."""
    digest = pa.field("launch_digest", pa.binary(digest_size), nullable=False)
    return pa.schema([digest, *KEY_COLUMNS], metadata={"technology": technology})
