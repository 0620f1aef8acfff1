"""The folder of vectors, fixtures and firmware for tests/real; it is not part of the project."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SHARED = Path(os.environ.get("LDCAT_SHARED") or REPOSITORY.parent / "shared").resolve()

DEBIAN_ROWS = SHARED / "vectors" / "debian_launch_digests.jsonl"
PEER_VECTORS = SHARED / "vectors" / "peer_vectors.json"
FIRMWARE_INDEX = SHARED / "firmware" / "index.json"
FIXTURES = SHARED / "fixtures"
WILD = SHARED / "vectors" / "wild"
EXCHANGE = SHARED / "vectors" / "exchange"
EVIDENCE = SHARED / "vectors" / "evidence"
EXCHANGE_REPORTS = EXCHANGE / "reports"
VIRT_QEMU_SEV_VALIDATE = shutil.which("virt-qemu-sev-validate") or ""
"""From Debian's libvirt-clients-qemu."""


def missing_files() -> list[str]:
    """The files that tests/real needs and does not find, by their paths in the folder."""
    needed = (DEBIAN_ROWS, PEER_VECTORS, FIRMWARE_INDEX, FIXTURES, WILD, EXCHANGE, EXCHANGE_REPORTS, EVIDENCE)
    missing = [str(path.relative_to(SHARED)) for path in needed if not path.exists()]
    return missing if VIRT_QEMU_SEV_VALIDATE else [*missing, "the program virt-qemu-sev-validate"]
