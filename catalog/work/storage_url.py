"""Finds the storage of a cluster at a path or a URL. Secrets are never part of it."""

from __future__ import annotations

import os
import re

from catalog.errors import UsageError
from catalog.work.folder_storage import FolderStorage
from catalog.work.object_storage import ObjectStorage, check_scheme
from catalog.work.storage import Storage

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<path>[A-Za-z0-9._/~-]+)")
_EXAMPLES = "for example a folder, s3://BUCKET/PATH or gs://BUCKET/PATH"


def open_storage(location: str) -> Storage:
    """The storage at a path, a file:// URL, or a URL of fsspec such as s3://BUCKET/PATH.

    Secrets are never part of it: fsspec has its own environment variables and files for them. Raises UsageError for
    anything else, also if a package for that kind of URL is missing.
    """
    if "://" not in location:
        if not location or "::" in location:
            raise UsageError(f"{location!r} is not storage", _EXAMPLES)
        return FolderStorage(os.path.realpath(location))
    found = _URL.fullmatch(location)
    if not found or {".", ".."} & set(location.split("/")):
        raise UsageError(
            "this URL is not storage: it has only a scheme, a bucket and a path",
            f"{_EXAMPLES}; fsspec reads credentials from its own environment variables and files",
        )
    if found["scheme"] == "file":
        if not found["path"].startswith("/"):
            raise UsageError(f"{location} names no folder of this machine", "for example file:///mnt/shared")
        return FolderStorage(os.path.realpath(found["path"]))
    check_scheme(found["scheme"])
    return ObjectStorage(location.rstrip("/"))
