"""Folders of this user, by the XDG Base Directory specification: for catalogs, and for what is remembered."""

from __future__ import annotations

import os


def data_home() -> str | None:
    """Where the default catalog is; None where there is no home folder."""
    return _home("XDG_DATA_HOME", "~/.local/share")


def state_home() -> str | None:
    """Where it is kept what was built, signed, seen and verified here; None where there is no home folder."""
    return _home("XDG_STATE_HOME", "~/.local/state")


def cache_home() -> str | None:
    """Where what was fetched is kept, all of which can be fetched again; None where there is no home folder."""
    return _home("XDG_CACHE_HOME", "~/.cache")


def _home(variable: str, default: str) -> str | None:
    """A relative path counts as none, as the specification says: whose folder it would be in, anyone may say."""
    for path in (os.environ.get(variable) or "", os.path.expanduser(default)):  # noqa: PTH111 - pathlib takes 8 ms
        if os.path.isabs(path):  # noqa: PTH117
            return f"{path}/ldcat"
    return None
