"""Guid: what uuid.UUID is, of the same bytes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.firmware.guid import Guid


@given(st.uuids())
def test_a_guid_is_that_uuid(uuid: UUID) -> None:
    guid: Any = Guid(uuid.bytes_le)
    assert (guid, uuid, str(guid)) == (uuid, guid, str(uuid))
    assert Guid.of(str(uuid)) == guid
    assert (guid.time_low, hash(guid)) == (uuid.time_low, hash(uuid))
    assert {uuid: 1}[guid] == {guid: 1}[uuid] == 1
    assert repr(guid) == f"Guid.of('{uuid}')"


def test_other_values_are_not_equal() -> None:
    assert Guid(bytes(16)) != Guid(bytes(15) + b"\1")
    assert Guid(bytes(16)) != bytes(16)


@pytest.mark.parametrize("text", ["", "00", "0" * 32, "00000000-0000-0000-0000-0000000000", "x" * 36])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of bytes.fromhex, or our own
        Guid.of(text)
