"""The user's folders for catalogs, state and cache. Source: XDG Base Directory specification."""

from __future__ import annotations

import os

_AS_THEY_ARE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~")


def data_home() -> str | None:
    """Folder of the default catalog; None if there is no home folder."""
    return _home("XDG_DATA_HOME", "~/.local/share")


def state_home() -> str | None:
    """Folder of what was built, signed, seen and verified on this machine; None if there is no home folder."""
    return _home("XDG_STATE_HOME", "~/.local/state")


def cache_home() -> str | None:
    """Folder of fetched files, all of which can be fetched again; None if there is no home folder."""
    return _home("XDG_CACHE_HOME", "~/.cache")


def quoted(name: str) -> str:
    """A name as that of one file: as `urllib.parse.quote` writes it if no character is safe."""
    return "".join(chr(byte) if byte in _AS_THEY_ARE else f"%{byte:02X}" for byte in name.encode("utf-8"))


def _home(variable: str, default: str) -> str | None:
    """The folder of a variable or its default. A relative path is ignored, as the specification says."""
    for path in (os.environ.get(variable) or "", os.path.expanduser(default)):  # noqa: PTH111 - pathlib takes 8 ms
        if os.path.isabs(path):  # noqa: PTH117
            return f"{path}/ldcat"
    return None
