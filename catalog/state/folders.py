"""Folders of this user: the default catalog, what this machine remembers, and what was fetched from hosts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from catalog.errors import Unreadable
from catalog.fast import xdg
from catalog.fast.beneath import open_folder
from catalog.files.inputs import unreadable
from catalog.state.receipts import Receipts

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.log.log_folder import LastCheckpoint


def default_catalog() -> Path:
    """Where `ldcat build` puts the default catalog and every command looks for it."""
    if (home := xdg.data_home()) is None:
        raise Unreadable("there is no home folder", "set XDG_DATA_HOME, or name the folder of the catalog")
    return Path(home) / "catalog"


def host_cache(url: str) -> Path:
    """Where files of a log are kept that a static host serves; raises Unreadable if there is no home folder."""
    if (home := xdg.cache_home()) is None:
        raise Unreadable("there is no home folder", "set XDG_CACHE_HOME; what is fetched is kept there")
    return Path(home) / "hosts" / quote(url, safe="")


def receipts() -> Receipts:
    """Where it is kept which catalogs this machine built."""
    home = xdg.state_home()
    return Receipts(Path(home) / "built" if home else None)


def checked() -> Receipts:
    """Where it is kept of which catalogs that others made the index was found to lead to the rows."""
    home = xdg.state_home()
    return Receipts(Path(home) / "checked" if home else None)


def state_folder() -> Path:
    """Where this machine keeps what it saw and signed; raises Unreadable where there is no place.

    And where others can write there: who can exchange what is remembered says what is believed.
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
    """Where it is kept what this machine signed, or saw, last of a log; raises Unreadable where there is no place."""
    from catalog.log.log_folder import LastCheckpoint

    home = state_folder()
    return LastCheckpoint(home / what / f"{quote(origin, safe='')}.note", home)
