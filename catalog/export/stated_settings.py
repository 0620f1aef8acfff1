"""The settings of an export as its sidecar states them: given or by default, and nothing that is secret.

Keys are stated by their digests, never by a path or a passphrase.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.export.export_format import ExportFormat
from catalog.export.exported import Export
from catalog.export.settings import GivenFile, Settings
from catalog.export.sidecar import StatedSettings
from catalog.export.validity import valid_from
from catalog.imports.dates import utc


def stated_settings(chosen: ExportFormat, export: Export) -> StatedSettings:
    """What a sidecar states of the settings of an export. Raises as `valid_from` and `key_digest`."""
    settings = export.settings
    taken = [name for name in StatedSettings.__struct_fields__ if name in chosen.settings]
    found: dict[str, Any] = {name: _text(name, _value(chosen, export, name)) for name in taken}
    if "valid_from" in chosen.settings:
        found["valid_from"] = utc(valid_from(export))
    for name, file in (("id_key", settings.id_key), ("author_key", settings.author_key)):
        if name in chosen.settings:
            found[f"{name}_digest"] = _digest(file, settings)
    return StatedSettings(**found)


def _value(chosen: ExportFormat, export: Export, name: str) -> Any:
    given, default = getattr(export.settings, name), chosen.defaults.get(name)
    if given is not None:
        return given
    return default.get(export.technology) if isinstance(default, Mapping) else default


def _text(name: str, value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    return f"{value:#x}" if name == "policy" and value is not None else value


def _digest(file: GivenFile | None, settings: Settings) -> str | None:
    if file is None:
        return None
    from catalog.export.key_digests import key_digest  # cryptography takes long to load

    return key_digest(file, settings.passphrase).hex()
