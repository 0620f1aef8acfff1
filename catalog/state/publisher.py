"""The settings of a publisher: `ldcat.toml` of the current folder, which `ldcat init` writes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from catalog.errors import MalformedRecord, Unreadable
from catalog.fast.beneath import Shared, check_private, open_file
from catalog.files.inputs import unreadable
from catalog.transparency.encoding import is_name
from catalog.wire import Wire, decode_toml

SETTINGS = "ldcat.toml"
"""Name of the file."""

MAX_SETTINGS = 1 << 16
"""Bytes: the largest file of settings."""

_KEYS = "its keys are origin, log, key, trust and, optionally, heartbeat and catalog; ldcat init writes it"

CATALOG = "catalog"
"""Folder of the catalog in a file that names none."""

_Path = Annotated[str, msgspec.Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class Publisher:
    """What a publisher's commands use where the command line names nothing.

    origin: of the log.
    log: folder of the log.
    key: file of the log's private keys.
    trust: the trust note.
    heartbeat: file of the heartbeat's private keys; None for a log that its witnesses keep fresh.
    catalog: folder of the catalog that is published.
    """

    origin: str
    log: Path
    key: Path
    trust: Path
    heartbeat: Path | None = None
    catalog: Path = Path(CATALOG)

    @classmethod
    def find(cls, folder: Path = Path()) -> Publisher | None:
        """The settings in a folder, by default the current one; None if it has none.

        Raises Unreadable, also for a link and for a file that others can write: whoever writes it decides what is
        signed. Raises MalformedRecord for anything but the keys of `ldcat init`.
        """
        path = folder / SETTINGS
        try:
            descriptor = open_file(folder, SETTINGS)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise unreadable(path, error) from error
        with os.fdopen(descriptor, "rb") as file:
            try:
                check_private(descriptor, str(path))
                data = file.read(MAX_SETTINGS + 1)
            except Shared as error:
                hint = f"check what is in it, then: chmod go-w {path}; chown it if it is not yours"
                raise Unreadable(f"{path} is not used: {error.strerror}", hint) from error
            except OSError as error:
                raise unreadable(path, error) from error
        return cls._parse(data, path)

    @classmethod
    def _parse(cls, data: bytes, path: Path) -> Publisher:
        if len(data) > MAX_SETTINGS:
            raise MalformedRecord(f"{path} has more than {MAX_SETTINGS} bytes", _KEYS)
        try:
            wire = decode_toml(data.decode("utf-8"), _SettingsWire, str(path))
        except UnicodeDecodeError as error:
            raise MalformedRecord(f"{path} is not UTF-8 text", _KEYS) from error
        except MalformedRecord as error:
            raise MalformedRecord(str(error), _KEYS) from error
        if not is_name(wire.origin):
            raise MalformedRecord(f"{path}: {wire.origin[:60]!r} is not the origin of a log", _KEYS)
        paths = [wire.log, wire.key, wire.trust, wire.catalog, *([] if wire.heartbeat is None else [wire.heartbeat])]
        if any("\0" in one for one in paths):
            raise MalformedRecord(f"{path}: a path contains a NUL", _KEYS)
        log, key, trust, catalog, *heartbeat = (path.parent / one for one in paths)  # an absolute path stays as it is
        for name, file in (("key", key), *(("heartbeat", file) for file in heartbeat)):
            _check_inside(file, path, name)
        return cls(wire.origin, log, key, trust, heartbeat[0] if heartbeat else None, catalog)


def _check_inside(file: Path, settings: Path, name: str) -> None:
    """Raises MalformedRecord for private keys that are not in the folder of the settings, also by a link.

    A folder that somebody sent belongs to whoever unpacked it, and must not sign its catalog with their keys.
    """
    if not file.resolve().is_relative_to(settings.parent.resolve()):
        hint = "move it there; or run ldcat in another folder, and give --log and --key"
        raise MalformedRecord(f"{settings}: {name}: {file} is not in the folder of {SETTINGS}", hint)


class _SettingsWire(Wire, frozen=True):
    """The file. Paths are relative to its folder."""

    origin: str
    log: _Path
    key: _Path
    trust: _Path
    heartbeat: _Path | None = None
    catalog: _Path = CATALOG
