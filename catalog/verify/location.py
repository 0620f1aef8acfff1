"""The location of a catalog, as a user names it: a local folder, or a log on a static host."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import Unreadable
from catalog.fast.folder_location import CHECKPOINT, FolderLocation, is_number, locate
from catalog.files.inputs import unreadable


@dataclass(frozen=True, slots=True)
class HostedLocation:
    """A log on a static host, or one of its releases.

    url: of the log.
    number: of the release; None for the last one.
    """

    url: str
    number: int | None

    def __str__(self) -> str:
        return self.url if self.number is None else f"{self.url}/releases/{self.number}"


CatalogLocation = Path | HostedLocation
"""A folder is a local catalog, a log or a release of a log: `locate_folder` determines it whenever it is opened."""


def parse_location(text: str) -> CatalogLocation:
    """The location that a path or URL names. Raises UsageError for a URL that cannot be fetched."""
    if not text.lower().startswith(("https:", "http:")):
        return Path(text)
    from catalog.net.static_host import StaticHost  # http.client takes long to load

    url = StaticHost.parse(text).url
    log, releases, number = url.rpartition("/releases/")
    if releases and is_number(number):
        return HostedLocation(log, int(number))
    return HostedLocation(url, None)


def locate_folder(folder: Path) -> FolderLocation:
    """Determine what a folder is, by its name and the checkpoint in it.

    Raises Unreadable for a folder that has the name of a release and is not in a log.
    """
    try:
        location = locate(str(folder))
        is_there = location.log is None or os.path.lexists(f"{location.log}/{CHECKPOINT}")
    except OSError as error:
        raise unreadable(folder, error) from error
    if not is_there:
        raise Unreadable(
            f"{folder} is named like a release, but {location.log} has no checkpoint of a log",
            "get the log again; or give your own catalog another name than releases/N",
        )
    return location


def is_published(location: CatalogLocation) -> bool:
    """Whether a location is in a log. Raises as `locate_folder`."""
    return isinstance(location, HostedLocation) or locate_folder(location).log is not None
