"""Where a catalog is, as somebody names it: a folder of this machine, or a log that a static host serves."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import Unreadable
from catalog.fast.folder_location import CHECKPOINT, FolderLocation, is_number, locate
from catalog.files.inputs import unreadable


@dataclass(frozen=True, slots=True)
class HostedLocation:
    """A log that a static host serves, or one of its releases. url: of the log. number: None for the last release."""

    url: str
    number: int | None

    def __str__(self) -> str:
        return self.url if self.number is None else f"{self.url}/releases/{self.number}"


CatalogLocation = Path | HostedLocation
"""A folder is a catalog of one's own, a log or a release of a log: `locate_folder` finds out each time it is opened."""


def parse_location(text: str) -> CatalogLocation:
    """The location that a path or a URL names; raises UsageError for a URL that cannot be fetched."""
    if not text.lower().startswith(("https:", "http:")):
        return Path(text)
    from catalog.net.static_host import StaticHost  # http.client takes long to load

    url = StaticHost.parse(text).url
    log, releases, number = url.rpartition("/releases/")
    if releases and is_number(number):
        return HostedLocation(log, int(number))
    return HostedLocation(url, None)


def locate_folder(folder: Path) -> FolderLocation:
    """What a folder is, by its name and by the checkpoint in it.

    Raises Unreadable for a folder with the name of a release that is in no log.
    """
    try:
        location = locate(str(folder))
        is_there = location.log is None or os.path.lexists(f"{location.log}/{CHECKPOINT}")
    except OSError as error:
        raise unreadable(folder, error) from error
    if not is_there:
        raise Unreadable(
            f"{folder} has the name of a release, and {location.log} no checkpoint of a log",
            "get the log anew; or give a catalog of your own another name than releases/N",
        )
    return location


def is_published(location: CatalogLocation) -> bool:
    """Whether it is in a log; raises as `locate_folder`."""
    return isinstance(location, HostedLocation) or locate_folder(location).log is not None
