"""What pages of a host load: scripts and the style sheet, in a folder that is named by what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from catalog.fast.packed import light_sha256

_HERE = Path(__file__).parent
_STYLE = _HERE.parent / "templates" / "page.css"


@cache
def assets() -> Mapping[str, bytes]:
    """The files by name."""
    scripts = {path.name: path.read_bytes() for path in sorted(_HERE.glob("*.js"))}
    return {**scripts, _STYLE.name: _STYLE.read_bytes()}


@cache
def assets_folder() -> str:
    """Where they are, below the pages: other files are in another folder, so that browsers may keep them."""
    hashed = light_sha256()(b"".join(name.encode() + b"\0" + data + b"\0" for name, data in assets().items()))
    return f"assets/{hashed.hexdigest()[:16]}"
