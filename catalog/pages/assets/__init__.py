"""Assets of the pages that a host serves: scripts and the style sheet, in a folder named by their hash."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from catalog.fast.packed import light_sha256

_HERE = Path(__file__).parent
_STYLE = _HERE.parent / "templates" / "page.css"


@cache
def assets() -> Mapping[str, bytes]:
    """The contents of each asset, by file name."""
    scripts = {path.name: path.read_bytes() for path in sorted(_HERE.glob("*.js"))}
    return {**scripts, _STYLE.name: _STYLE.read_bytes()}


@cache
def assets_folder() -> str:
    """Folder of the assets, below the root of the pages. Changed assets get another folder, so browsers may cache."""
    hashed = light_sha256()(b"".join(name.encode() + b"\0" + data + b"\0" for name, data in assets().items()))
    return f"assets/{hashed.hexdigest()[:16]}"
