"""Type of bytes in the JSON of the service."""

from __future__ import annotations

from typing import Annotated

import msgspec

Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})*$")]
