"""JSON as every command prints it."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def json_text(value: Any, **how: Any) -> str:
    """JSON text in ASCII without control characters other than newlines. how: as for json.dumps."""
    return json.dumps(value, **how).replace("\x7f", "\\u007f")
