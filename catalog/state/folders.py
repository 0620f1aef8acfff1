"""Folders of this user: the default catalog, the state of this machine, and files fetched from hosts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import Unreadable
from catalog.fast import xdg
from catalog.fast.beneath import open_folder
from catalog.files.inputs import unreadable
from catalog.state.receipts import Receipts

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.log.log_folder import LastCheckpoint


def default_catalog() -> Path:
    """Where `ldcat build` writes the default catalog and every command looks for it.

    Raises Unreadable if there is no home folder.
    """
    if (home := xdg.data_home()) is None:
        raise Unreadable("there is no home folder", "set XDG_DATA_HOME, or name the folder of the catalog")
    return Path(home) / "catalog"


def host_cache(url: str) -> Path:
    """Where files fetched from the log at a URL are kept; raises Unreadable if there is no home folder."""
    if (home := xdg.cache_home()) is None:
        raise Unreadable("there is no home folder", "set XDG_CACHE_HOME; fetched files are kept there")
    return Path(home) / "hosts" / xdg.quoted(url)


def receipts() -> Receipts:
    """Receipts of the catalogs that this machine built."""
    home = xdg.state_home()
    return Receipts(Path(home) / "built" if home else None)


def checked() -> Receipts:
    """Receipts of the catalogs of others whose index was found to lead to their rows."""
    home = xdg.state_home()
    return Receipts(Path(home) / "checked" if home else None)


def cluster_journals() -> Path | None:
    """Where builds on a cluster keep what they finished; None if there is no home folder."""
    home = xdg.state_home()
    return Path(home) / "cluster" if home else None


def state_folder() -> Path:
    """Where this machine keeps what it saw and signed.

    Raises Unreadable if there is no home folder, or if others can write to this folder: whoever can replace what is
    kept there decides what is trusted.
    """
    if (home := xdg.state_home()) is None:
        raise Unreadable("there is no home folder", "set XDG_STATE_HOME; what was seen or signed last is kept there")
    try:
        os.close(open_folder(home, private=True))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise unreadable(Path(home), error) from error
    return Path(home)


def remembered(what: str, origin: str) -> LastCheckpoint:
    """The last checkpoint of a log that this machine signed, cosigned or saw; raises as `state_folder`.

    what: folder of such checkpoints: "signed", "cosigned", "seen" or "watched". origin: of the log.
    """
    from catalog.log.log_folder import LastCheckpoint

    home = state_folder()
    return LastCheckpoint(home / what / f"{xdg.quoted(origin)}.note", home)
