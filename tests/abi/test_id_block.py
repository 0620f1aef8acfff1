"""IdBlock: the fields of 96 bytes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.abi.digest import LaunchDigest
from catalog.abi.id_block import IdBlock
from catalog.errors import MalformedInput
from catalog.values import replace

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


def test_written_as_it_was_read() -> None:
    assert IdBlock.parse(raw_block()).to_bytes() == raw_block()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measurement": LaunchDigest(bytes(32))}, "measurement of an ID block has 48 bytes, not 32"),
        ({"family_id": bytes(15)}, "family_id of an ID block has 16 bytes, not 15"),
        ({"image_id": bytes(17)}, "image_id of an ID block has 16 bytes, not 17"),
        ({"guest_svn": 1 << 32}, "guest_svn of an ID block has 32 bits, and 0x100000000 does not fit"),
        ({"policy": -1}, "policy of an ID block has 64 bits, and -0x1 does not fit"),
    ],
)
def test_fields_that_do_not_fit_are_not_written(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        replace(IdBlock.parse(raw_block()), **changes).to_bytes()
