"""IdBlock: the fields of 96 bytes, and what is refused."""

from __future__ import annotations

import pytest

from catalog.abi.id_block import IdBlock
from catalog.errors import MalformedInput

DIGEST, FAMILY, IMAGE = bytes(range(48)), bytes(range(50, 66)), bytes(range(70, 86))


def raw_block(version: int = 1) -> bytes:
    numbers = version.to_bytes(4, "little") + (7).to_bytes(4, "little") + (0x30000).to_bytes(8, "little")
    return DIGEST + FAMILY + IMAGE + numbers


def test_fields() -> None:
    block = IdBlock.parse(raw_block())
    assert block.to_dict() == {
        "measurement": DIGEST.hex(),
        "family_id": FAMILY.hex(),
        "image_id": IMAGE.hex(),
        "guest_svn": 7,
        "policy": "0x30000",
    }


@pytest.mark.parametrize(("raw", "message"), [(bytes(95), "96 bytes, not 95"), (raw_block(2), "version 2")])
def test_refused(raw: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        IdBlock.parse(raw)
