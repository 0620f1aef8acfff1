"""The folder of vectors, fixtures and firmware that tests/real reads; it is no part of the project."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SHARED = Path(os.environ.get("LDCAT_SHARED") or REPOSITORY.parent / "shared").resolve()

DEBIAN_ROWS = SHARED / "vectors" / "debian_launch_digests.jsonl"
PEER_VECTORS = SHARED / "vectors" / "peer_vectors.json"
FIRMWARE_INDEX = SHARED / "firmware" / "index.json"
FIXTURES = SHARED / "fixtures"


def missing_files() -> list[str]:
    """What tests/real needs and does not find, by its path in the folder."""
    needed = (DEBIAN_ROWS, PEER_VECTORS, FIRMWARE_INDEX, FIXTURES)
    return [str(path.relative_to(SHARED)) for path in needed if not path.exists()]
