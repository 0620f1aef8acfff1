"""Leaves of rows, and the compiled code that reads and writes them, for tests of many leaves at once."""

from __future__ import annotations

from typing import Any

from catalog.files.plain_json import canonical_json
from catalog.log.leaves import leaf_code

ROW: dict[str, Any] = {
    "firmware_sha256": "ab" * 32,
    "kernel_hashes_sha256": None,
    "launch_digest": "cd" * 48,
    "sev_features": "0x1",
    "technology": "sev-snp",
    "type": "digest",
    "vcpu_signature": "0x00a00f11",
    "vcpus": 2,
    "vmm": "qemu",
}
CODE = dict.fromkeys((leaf_code.lib, None))
"""Compiled, if it is, and in Python."""


def row(**changes: Any) -> bytes:
    return canonical_json(ROW | changes)
