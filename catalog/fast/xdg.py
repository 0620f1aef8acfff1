"""The user's folders for catalogs, state and cache. Source: XDG Base Directory specification."""

from __future__ import annotations

import os


def data_home() -> str | None:
    """Folder of the default catalog; None if there is no home folder."""
    return _home("XDG_DATA_HOME", "~/.local/share")


def state_home() -> str | None:
    """Folder of what was built, signed, seen and verified on this machine; None if there is no home folder."""
    return _home("XDG_STATE_HOME", "~/.local/state")


def cache_home() -> str | None:
    """Folder of fetched files, all of which can be fetched again; None if there is no home folder."""
    return _home("XDG_CACHE_HOME", "~/.cache")


def _home(variable: str, default: str) -> str | None:
    """The folder of a variable or its default. A relative path is ignored, as the specification says."""
    for path in (os.environ.get(variable) or "", os.path.expanduser(default)):  # noqa: PTH111 - pathlib takes 8 ms
        if os.path.isabs(path):  # noqa: PTH117
            return f"{path}/ldcat"
    return None
