"""Values in the text format of protobuf.

Source: https://protobuf.dev/reference/protobuf/textformat-spec/.
"""

from __future__ import annotations


def escaped(value: bytes) -> str:
    """A string: each byte escaped in hex."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in value) + '"'
