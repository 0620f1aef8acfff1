"""The query of an export over HTTP: the options of `ldcat export` that name no file, with `_` in place of `-`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import parse_qsl

from catalog.errors import MalformedInput, UsageError
from catalog.export.export_format import ExportFormat
from catalog.export.export_made import LOCAL
from catalog.export.rows.rules import OPTIONS
from catalog.export.rows.selection import Selection, make_selection
from catalog.export.setting_table import FILES, SETTING_TEXTS, check_settings, served_formats
from catalog.export.settings import Settings
from catalog.rows.numbers import parse_number
from catalog.web.problems import Problem

MAX_QUERY = 8 << 10
"""Bytes of a query: about 75 launch digests. A proxy takes as much, such as that of docs/deploy."""
PREFIX = "/v1/exports"

FIELDS: Mapping[str, tuple[str, str]] = {
    "firmware": ("firmware_sha256", "name of a build, or the SHA-256 or the SNP baseline of its image"),
    "kernel_hashes": ("kernel_hashes_sha256", "kernel hashes table by name or SHA-256, or none"),
    "vmm": ("vmm", "VMM profile"),
    "vcpu_type": ("vcpu_type", "vCPU model, as QEMU names it"),
    "vcpu_signature": ("vcpu_signature", "vCPU signature: CPUID Fn0000_0001 EAX"),
    "sev_features": ("sev_features", "sev_features of the VMSA"),
}
"""Parameters that select rows: the field, and its meaning."""

NUMBERS = frozenset(("vcpu_signature", "sev_features"))
"""Those of FIELDS that are numbers."""

FLAGS = {option.removeprefix("--").replace("-", "_"): option for option in (*OPTIONS, LOCAL)}
"""Parameters that are true or false, with their options."""


@dataclass(frozen=True)
class ExportQuery:
    """What a request selects, allows and sets. options: those of FLAGS that are true."""

    selection: Selection
    options: frozenset[str]
    settings: Settings


def served_settings(one: ExportFormat) -> list[str]:
    """The settings of a format that are parameters: those that are read from no file."""
    return [name for name in SETTING_TEXTS if name in one.settings - FILES]


def all_settings() -> list[str]:
    """The settings of all formats that the service offers."""
    every = {name for one in served_formats().values() for name in served_settings(one)}
    return [name for name in SETTING_TEXTS if name in every]


def parameters() -> dict[str, str]:
    """All parameters with their meanings: those that select, those that are true or false, and settings of formats."""
    return {
        "digest": "an SEV-SNP or TDX launch digest in hex or base64; may be repeated",
        **{name: meaning for name, (_, meaning) in FIELDS.items()},
        "vcpus": "numbers of vCPUs, such as 1-64,96",
        **{name: f"true: as {option} of ldcat export" for name, option in FLAGS.items()},
        **{name: SETTING_TEXTS[name].help for name in all_settings()},
    }


def not_offered(one: ExportFormat) -> str:
    """Why the service does not offer a format."""
    needs = ["a key"] if one.required & FILES - {"files"} else []
    needs += ["other files"] if "files" in one.required else []
    return f"{one.name} needs {' and '.join(needs)}" if needs else f"{one.name} is several files"


def parse_query(query: bytes, chosen: ExportFormat) -> ExportQuery:
    """The query of a request for a file in a format. Raises Problem."""
    digests, given = _given(query)
    flags = frozenset(option for name, option in FLAGS.items() if _is_true(name, given.pop(name, "false")))
    settings = {name: given.pop(name) for name in all_settings() if name in given}
    fields: dict[str, Any] = {field: given.pop(name, None) for name, (field, _) in FIELDS.items()}
    vcpus = given.pop("vcpus", None)
    if given:
        raise _unknown(min(given)[:40])
    try:
        check_settings(chosen, settings)
        values = {name: _setting(name, text) for name, text in settings.items()}
        for name in NUMBERS:
            fields[name] = None if fields[name] is None else _parsed(name, fields[name], parse_number)
        return ExportQuery(make_selection(digests, fields, vcpus), flags, Settings(**values))
    except (UsageError, MalformedInput) as error:
        raise Problem(400, as_parameters(str(error)), error.hint and as_parameters(error.hint)) from error


def _given(query: bytes) -> tuple[list[str], dict[str, str]]:
    """Launch digests, and the other parameters by name; raises Problem."""
    if len(query) > MAX_QUERY:
        raise Problem(414, f"the query has more than {MAX_QUERY:,} bytes", "ldcat export takes any number of digests")
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY)
    except ValueError as error:  # also for bytes that are not UTF-8
        raise Problem(400, "the query is not text in UTF-8", "encode it as a form: name=value&name=value") from error
    digests, given = [], {}
    for name, text in pairs:
        if name == "digest":
            digests.append(text)
        elif name in given:
            raise Problem(400, f"{name[:40]} is given twice", "only digest may be repeated")
        else:
            given[name] = text
    return digests, given


def _unknown(name: str) -> Problem:
    if name in FILES:
        hint = "a service takes no key and no other file: use ldcat export"
    else:
        near = get_close_matches(name, parameters(), n=1)
        hint = "".join(f"did you mean {one}? " for one in near) + f"{PREFIX} lists all parameters"
    return Problem(400, f"unknown parameter {name!r}", hint)


def _is_true(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise Problem(400, f"{name} is true or false, not {text[:40]!r}")
    return text == "true"


def _setting(name: str, text: str) -> Any:
    parse = SETTING_TEXTS[name].parse
    assert parse is not None, "parameters are read from no file"  # noqa: S101
    return _parsed(name, text, parse)


def _parsed(name: str, text: str, parse: Callable[[str], Any]) -> Any:
    """The value of a parameter; raises UsageError, which names it."""
    try:
        return parse(text)
    except UsageError as error:
        raise UsageError(f"{name}: {error}", error.hint) from error


def as_parameters(text: str) -> str:
    """A message with parameters in place of the options that it names."""

    def spelled(found: re.Match[str]) -> str:
        name = found[1].replace("-", "_")
        if name in FLAGS:
            return f"{name}=true"
        return name if name in (*FIELDS, "vcpus", *all_settings()) else found[0]

    return re.sub(r"--([a-z]+(?:-[a-z]+)*)", spelled, text)
