"""The variable store of a combined image, as its volume header says, and the code after it."""

from __future__ import annotations

import hashlib

import pytest

from catalog.firmware.variable_store import Code, code_of, variable_store_size
from tests.support.firmware_builder import PAGE, build_ovmf, variable_store

CODE = build_ovmf(pages=4)
STORE = variable_store(2 * PAGE)


def test_the_variable_store_is_what_its_volume_header_says() -> None:
    assert variable_store_size(STORE + CODE) == 2 * PAGE
    assert variable_store_size(CODE) is None
    assert variable_store_size(STORE) is None  # nothing follows: no combined image
    assert variable_store_size(b"") is None


def test_the_code_is_what_follows() -> None:
    assert code_of(STORE + CODE) == Code(len(CODE), hashlib.sha256(CODE).digest())
    assert code_of(CODE) is None


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0x10, bytes(16)),
        (0x28, b"_FVX"),
        (0x20, bytes(8)),
        (0x20, (0x37).to_bytes(8, "little")),
        (0x20, len(STORE + CODE).to_bytes(8, "little")),
        (0x20, b"\xff" * 8),
    ],
)
def test_a_header_with_a_wrong_field_is_no_variable_store(at: int, value: bytes) -> None:
    image = bytearray(STORE + CODE)
    image[at : at + len(value)] = value
    assert variable_store_size(bytes(image)) is None
    assert code_of(bytes(image)) is None
