"""Options of `ldcat export` that formats take beside rows: one for each field of Settings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from catalog.cli.declare.declared import BadValue
from catalog.cli.options import named_path, number_option, read_passphrase
from catalog.errors import NotThere, UsageError
from catalog.export.export_format import ExportFormat, export_formats
from catalog.export.settings import GivenFile, Settings
from catalog.export.sidecar import ENDING, IN_FOLDER, MAX_SIZE
from catalog.files.inputs import MAX_TEXT_SIZE, read_file

PANEL = "Settings of formats"

_LARGEST_FILE = 128 << 20
"""Bytes of a file that was exported before."""
_MOST_BYTES = 512 << 20
"""Bytes of all of them."""
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_HEX = re.compile("(?:[0-9a-fA-F]{2}){1,64}")


@dataclass(frozen=True, slots=True)
class SettingOption:
    """An option. parse: from its text. read: from what was parsed, once the format is known to take it."""

    field: str
    option: str
    metavar: str
    help: str
    parse: Callable[[str], Any]
    read: Callable[[Any], Any] | None = None
    several: bool = False

    def parameter(self) -> inspect.Parameter:
        """The option as typer declares it. Its help names the formats that take it."""
        takers = ", ".join(name for name, one in export_formats().items() if self.field in one.settings)
        text = f"{self.help} For {takers}." if takers else self.help
        option = typer.Option(
            self.option, parser=self.parse, metavar=self.metavar, help=text, rich_help_panel=PANEL, show_default=False
        )
        kind: Any = list[Any] | None if self.several else Any
        return inspect.Parameter(
            self.field, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option]
        )


def time_option(text: str) -> int:
    """Parser of an option: seconds since 1970 from a day such as 2026-11-28, or a time in UTC. Raises BadValue."""
    try:
        if _DAY.fullmatch(text) or _MOMENT.fullmatch(text):
            found = datetime.fromisoformat(text)
            return int(found.replace(tzinfo=UTC).timestamp())
    except ValueError:
        pass
    raise BadValue(f"{text[:80]!r} is not a day such as 2026-11-28, or a time such as 2026-11-28T12:00:00Z")


def _text(text: str) -> str:
    if not text:
        raise BadValue("the text is empty")
    return text


def _id(text: str) -> bytes:
    if not _HEX.fullmatch(text) or len(text) != 32:
        raise BadValue(f"{text[:80]!r} is not 16 bytes in hex")
    return bytes.fromhex(text)


def _hex(text: str) -> bytes:
    if not _HEX.fullmatch(text):
        raise BadValue(f"{text[:80]!r} is not 1 to 64 bytes in hex")
    return bytes.fromhex(text)


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


SETTING_OPTIONS = (
    SettingOption("name", "--name", "NAME", "Name of the reference value.", _text),
    SettingOption("namespace", "--namespace", "NAME", "Namespace of the Kubernetes object.", _text),
    SettingOption(
        "valid_from",
        "--valid-from",
        "DATE",
        "First day of validity, or a time in UTC; by default the day of the release.",
        time_option,
    ),
    SettingOption("days", "--days", "DAYS", "Days of validity; by default 365.", number_option),
    SettingOption(
        "id_key", "--id-key", "FILE", "Private key that signs the ID block, P-384 in PEM.", named_path, _file
    ),
    SettingOption(
        "author_key",
        "--author-key",
        "FILE",
        "Private key that signs the ID key, P-384 in PEM; check takes the public key, too.",
        named_path,
        _file,
    ),
    SettingOption("key", "--key", "FILE", "Private key that signs, in PEM.", named_path, _file),
    SettingOption(
        "passphrase",
        "--passphrase-file",
        "FILE",
        "File with the passphrase of the private keys, which is never printed.",
        named_path,
        read_passphrase,
    ),
    SettingOption(
        "cert",
        "--cert",
        "FILE",
        "Certificate of --key, PEM or DER; corim takes its issuers' behind it.",
        named_path,
        _file,
    ),
    SettingOption("ca", "--ca", "FILE", "Certificate of who issued --cert, PEM or DER.", named_path, _file),
    SettingOption("policy", "--policy", "BITS", "Guest policy; by default 0x30000.", number_option),
    SettingOption("guest_svn", "--guest-svn", "N", "Security version number of the guest.", number_option),
    SettingOption("family_id", "--family-id", "HEX", "Family ID of the guest, 16 bytes.", _id),
    SettingOption("image_id", "--image-id", "HEX", "Image ID of the guest, 16 bytes.", _id),
    SettingOption("issuer", "--issuer", "NAME", "Who issues the reference values.", _text),
    SettingOption("issuer_url", "--issuer-url", "URL", "Address of the issuer.", _text),
    SettingOption("product", "--product", "NAME", "Product line of the processor, such as Milan.", _text),
    SettingOption("commit", "--commit", "HEX", "Commit of the firmware's source.", _hex),
    SettingOption("cl_spec", "--cl-spec", "N", "Number of the change that the firmware was built from.", number_option),
    SettingOption(
        "files",
        "--file",
        "FILE",
        "A file that was exported with -o; may be repeated.",
        named_path,
        _exported_files,
        True,
    ),
    SettingOption("tag", "--tag", "NAME", "Name of the OCI artifact.", _text),
)
"""By field of Settings, in the order of `--help`."""


def with_settings(command: Callable[..., int]) -> Callable[..., int]:
    """A decorator: the command gets these options, and what is given of them as the parameter `given`, by field."""
    hints = get_type_hints(command, include_extras=True)

    @wraps(command)
    def wrapped(**values: Any) -> int:
        given = {one.field: value for one in SETTING_OPTIONS if (value := values.pop(one.field)) is not None}
        return command(**values, given=given)

    kept = [one.replace(annotation=hints[name]) for name, one in inspect.signature(command).parameters.items()]
    shown = [one for one in kept if one.name not in ("given", "quiet")]
    shown += [option.parameter() for option in SETTING_OPTIONS]
    shown += [one for one in kept if one.name == "quiet"]
    shown = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in shown]
    wrapped.__signature__ = inspect.Signature(shown, return_annotation=int)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {one.name: one.annotation for one in shown}
    return wrapped


def check_settings(chosen: ExportFormat, given: Mapping[str, Any]) -> None:
    """Raises UsageError for a setting that the format does not take, and for one that it needs and that is missing."""
    for one in SETTING_OPTIONS:
        if one.field in given and one.field not in chosen.settings:
            takers = [name for name, other in export_formats().items() if one.field in other.settings]
            raise UsageError(
                f"{chosen.name} takes no {one.option}",
                f"formats that do: {', '.join(takers)}" if takers else f"leave it out: {chosen.title}",
            )
        if one.field in chosen.required and one.field not in given:
            raise UsageError(f"{chosen.name} needs {one.option} {one.metavar}", one.help[:1].lower() + one.help[1:-1])


def read_settings(given: Mapping[str, Any]) -> Settings:
    """The settings, with the files that they name. Raises Unreadable, UsageError."""
    by_field = {one.field: one for one in SETTING_OPTIONS}
    read = {name: reader(value) if (reader := by_field[name].read) else value for name, value in given.items()}
    return Settings(**read)


def files_read(given: Mapping[str, Any], trust: Path | None) -> list[Path]:
    """The files that the settings name, and the trust note."""
    values = [one for value in given.values() for one in (value if isinstance(value, list) else [value])]
    return [one for one in (*values, trust) if isinstance(one, Path)]
