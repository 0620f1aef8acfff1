"""Options of `ldcat export` that formats take beside rows: one for each field of Settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from catalog.cli.declare.declared import BadValue
from catalog.cli.options import named_path, read_passphrase
from catalog.errors import NotThere, UsageError
from catalog.export.export_format import export_formats
from catalog.export.setting_table import SETTING_TEXTS, SettingText
from catalog.export.settings import GivenFile, Settings
from catalog.export.sidecar import ENDING, IN_FOLDER, MAX_SIZE
from catalog.files.inputs import MAX_TEXT_SIZE, read_file

PANEL = "Settings of formats"

_LARGEST_FILE = 128 << 20
"""Bytes of a file that was exported before."""
_MOST_BYTES = 512 << 20
"""Bytes of all of them."""


def _file(path: Path) -> GivenFile:
    return GivenFile(str(path), read_file(path, limit=MAX_TEXT_SIZE))


def _exported_files(paths: list[Path]) -> tuple[GivenFile, ...]:
    found, size = [], 0
    for path in paths:
        data = read_file(path, limit=_LARGEST_FILE, regular=True)
        size += len(data)
        if size > _MOST_BYTES:
            raise UsageError(f"the files of --file have more than {_MOST_BYTES:,} bytes", "give fewer of them")
        found.append(GivenFile(str(path), data, _sidecar(path)))
    return tuple(found)


def _sidecar(path: Path) -> bytes | None:
    for beside in (path.with_name(path.name + ENDING), path.with_name(IN_FOLDER)):
        try:
            return read_file(beside, limit=MAX_SIZE, regular=True)
        except NotThere:
            continue
    return None


_READERS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("id_key", "author_key", "key", "cert", "ca"), _file),
    "passphrase": read_passphrase,
    "files": _exported_files,
}
"""From what an option names to the value of the setting."""


def _parameter(name: str, one: SettingText) -> inspect.Parameter:
    """A setting as an option that typer declares. Its help names the formats that take it."""
    takers = ", ".join(taker for taker, other in export_formats().items() if name in other.settings)
    option = typer.Option(
        one.option,
        parser=_parser(one),
        metavar=one.metavar,
        help=f"{one.help} For {takers}." if takers else one.help,
        rich_help_panel=PANEL,
        show_default=False,
    )
    kind: Any = list[Any] | None if name == "files" else Any
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option])


def _parser(one: SettingText) -> Callable[[str], Any]:
    """The parser of an option, which raises BadValue."""
    parse = one.parse
    if parse is None:
        return named_path

    def parsed(text: str) -> Any:
        try:
            return parse(text)
        except UsageError as error:
            raise BadValue(f"{error} ({error.hint})" if error.hint else str(error)) from error

    return parsed


def with_settings(command: Callable[..., int]) -> Callable[..., int]:
    """A decorator: the command gets these options, and what is given of them as the parameter `given`, by field."""
    hints = get_type_hints(command, include_extras=True)

    @wraps(command)
    def wrapped(**values: Any) -> int:
        given = {name: value for name in SETTING_TEXTS if (value := values.pop(name)) is not None}
        return command(**values, given=given)

    kept = [one.replace(annotation=hints[name]) for name, one in inspect.signature(command).parameters.items()]
    shown = [one for one in kept if one.name not in ("given", "quiet")]
    shown += [_parameter(name, one) for name, one in SETTING_TEXTS.items()]
    shown += [one for one in kept if one.name == "quiet"]
    shown = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in shown]
    wrapped.__signature__ = inspect.Signature(shown, return_annotation=int)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {one.name: one.annotation for one in shown}
    return wrapped


def read_settings(given: Mapping[str, Any]) -> Settings:
    """The settings, with the files that they name. Raises Unreadable, UsageError."""
    read = {name: _READERS[name](value) if name in _READERS else value for name, value in given.items()}
    return Settings(**read)


def files_read(given: Mapping[str, Any], trust: Path | None) -> list[Path]:
    """The files that the settings name, and the trust note."""
    values = [one for value in given.values() for one in (value if isinstance(value, list) else [value])]
    return [one for one in (*values, trust) if isinstance(one, Path)]
