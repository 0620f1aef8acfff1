"""The settings of exports as people write them: option, metavar, meaning and parser; for options and for queries."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat, export_formats
from catalog.imports.dates import parse_time
from catalog.rows.numbers import parse_number

_HEX = re.compile("(?:[0-9a-fA-F]{2}){1,64}")


@dataclass(frozen=True, slots=True)
class SettingText:
    """A setting. parse: its value from its text, raises UsageError; None: the value is read from a file."""

    option: str
    metavar: str
    help: str
    parse: Callable[[str], Any] | None = None


def _text(text: str) -> str:
    if not text:
        raise UsageError("the text is empty")
    return text


def _id(text: str) -> bytes:
    if not _HEX.fullmatch(text) or len(text) != 32:
        raise UsageError(f"{text[:80]!r} is not 16 bytes in hex")
    return bytes.fromhex(text)


def _hex(text: str) -> bytes:
    if not _HEX.fullmatch(text):
        raise UsageError(f"{text[:80]!r} is not 1 to 64 bytes in hex")
    return bytes.fromhex(text)


SETTING_TEXTS = {
    "name": SettingText("--name", "NAME", "Name of the reference value.", _text),
    "namespace": SettingText("--namespace", "NAME", "Namespace of the Kubernetes object.", _text),
    "valid_from": SettingText(
        "--valid-from",
        "DATE",
        "First day of validity, or a time in UTC; by default the day of the release.",
        parse_time,
    ),
    "days": SettingText("--days", "DAYS", "Days of validity; by default 365.", parse_number),
    "id_key": SettingText(
        "--id-key", "FILE", "Private key that signs the ID block, P-384 in PEM; check takes the public key, too."
    ),
    "author_key": SettingText(
        "--author-key", "FILE", "Private key that signs the ID key, P-384 in PEM; check takes the public key, too."
    ),
    "key": SettingText("--key", "FILE", "Private key that signs, in PEM."),
    "passphrase": SettingText(
        "--passphrase-file", "FILE", "File with the passphrase of the private keys, which is never printed."
    ),
    "cert": SettingText("--cert", "FILE", "Certificate of --key, PEM or DER; corim takes its issuers' behind it."),
    "ca": SettingText("--ca", "FILE", "Issuer's certificate for --cert, PEM or DER."),
    "policy": SettingText("--policy", "BITS", "Guest policy; by default 0x30000.", parse_number),
    "guest_svn": SettingText("--guest-svn", "N", "Security version number of the guest.", parse_number),
    "family_id": SettingText("--family-id", "HEX", "Family ID of the guest, 16 bytes.", _id),
    "image_id": SettingText("--image-id", "HEX", "Image ID of the guest, 16 bytes.", _id),
    "issuer": SettingText("--issuer", "NAME", "Who issues the reference values.", _text),
    "issuer_url": SettingText("--issuer-url", "URL", "Address of the issuer.", _text),
    "product": SettingText("--product", "NAME", "Product line of the processor, such as Milan.", _text),
    "commit": SettingText("--commit", "HEX", "Commit of the firmware's source.", _hex),
    "cl_spec": SettingText("--cl-spec", "N", "Number of the change that the firmware was built from.", parse_number),
    "files": SettingText("--file", "FILE", "A file that was exported with -o; may be repeated."),
    "tag": SettingText("--tag", "NAME", "Name of the OCI artifact.", _text),
}
"""By field of Settings, in the order of `--help`."""

FILES = frozenset(name for name, one in SETTING_TEXTS.items() if one.parse is None)
"""Settings whose values are read from files."""


def check_settings(chosen: ExportFormat, given: Collection[str]) -> None:
    """Raises UsageError for a setting that the format does not take, and for one that it needs and that is missing."""
    for name, one in SETTING_TEXTS.items():
        if name in given and name not in chosen.settings:
            takers = [taker for taker, other in export_formats().items() if name in other.settings]
            raise UsageError(
                f"{chosen.name} takes no {one.option}",
                f"formats that do: {', '.join(takers)}" if takers else f"leave it out: {chosen.title}",
            )
        if name in chosen.required and name not in given:
            raise UsageError(f"{chosen.name} needs {one.option} {one.metavar}", _meaning(name, one))


def _meaning(name: str, one: SettingText) -> str:
    """What a missing setting is, as a hint."""
    if name == "id_key":
        from catalog.export.private_keys import ID_BLOCK  # cryptography takes long to load

        return f"the private key that signs the ID block: {ID_BLOCK.hint}"
    return one.help[:1].lower() + one.help[1:-1]


def served_formats() -> dict[str, ExportFormat]:
    """The formats that the service offers: those of one file, which need no key and no other file."""
    return {name: one for name, one in export_formats().items() if not one.is_folder and not one.required & FILES}
