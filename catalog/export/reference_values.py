"""Reference values of trustee: their name, their text in JSON and base64, and the file of the store LocalJson.

Source: confidential-containers/trustee at 78962cd4: rvps/src, deps/key-value-storage/src,
attestation-service/src/ear_token/ear_default_policy_cpu.rego.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from catalog.errors import UsageError
from catalog.export.exported import SEV_SNP, TDX, Export
from catalog.export.settings import DEFAULT_DAYS
from catalog.export.validity import valid_until
from catalog.imports.dates import utc
from catalog.notes import Note

DEFAULT_NAMES: Mapping[str, str] = {SEV_SNP: "snp_launch_measurement", TDX: "mr_td"}
"""What trustee's default attestation policy asks for, by technology."""
STORED_DEFAULTS = {"name": DEFAULT_NAMES, "days": DEFAULT_DAYS}
"""Settings of the file of a store."""

_OTHER_NAMES: Mapping[str, str] = {
    SEV_SNP: "with this list alone trustee's default attestation policy gives executables 3, configuration 3 and "
    "hardware 97, which is not affirming; hardware needs snp_bootloader, snp_microcode, snp_snp_svn and "
    "snp_tee_svn, and configuration 2 snp_smt_enabled, snp_tsme_enabled, snp_guest_abi_major, "
    "snp_guest_abi_minor, snp_single_socket and snp_smt_allowed: no catalog has these",
    TDX: "with this list alone trustee's default attestation policy gives hardware 2, if the TCB status is UpToDate, "
    "and executables 33 and configuration 36, which are not affirming; executables needs rtmr_1 and rtmr_2, and "
    "configuration xfam: no catalog has these",
}
_GUESTS = {SEV_SNP: "SEV-SNP guests", TDX: "TDs"}

_NAME = re.compile("[A-Za-z0-9._/:-]{1,255}")
_AT_ONCE = 4096
"""Digests that are converted at once."""


def value_name(export: Export) -> str:
    """The name of the reference value: the setting, or that of DEFAULT_NAMES.

    Raises UsageError for characters that a store refuses, or that JSON, YAML or a URL would have to escape.
    """
    name, default = export.settings.name, DEFAULT_NAMES[export.technology]
    if name is None:
        return default
    if _NAME.fullmatch(name) is None or not any(character.isalnum() for character in name):
        raise UsageError(
            f"{name[:64]!r} cannot name a reference value: 1 to 255 of the characters A-Z a-z 0-9 . _ / : -",
            f"without --name it is {default}, which trustee's default policy asks for",
        )
    return name


def local_json(export: Export) -> Callable[[], Iterator[bytes]]:
    """The file of the store LocalJson: one value, in base64url, by its name. Raises UsageError as `value_name` does."""
    name, until = value_name(export), utc(valid_until(export))
    begin = f'{{"version":"0.1.0","name":"{name}","expiration":"{until}","value":'

    def chunks() -> Iterator[bytes]:
        yield f'{{\n  "{name}": "'.encode()
        yield from in_base64(_object(begin, export.digests), base64.urlsafe_b64encode)
        yield b'"\n}\n'

    return chunks


def by_name(export: Export) -> Iterator[bytes]:
    """A JSON object with the list of all digests under its name. Raises UsageError as `value_name` does."""
    return _object(f'{{"{value_name(export)}":', export.digests)


def in_base64(pieces: Iterable[bytes], encode: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """The base64 of all pieces together; `encode` gets a multiple of 3 bytes but for the last time."""
    rest = b""
    for piece in pieces:
        rest += piece
        whole = len(rest) - len(rest) % 3
        yield encode(rest[:whole])
        rest = rest[whole:]
    yield encode(rest)


def common_notes(export: Export) -> Sequence[Note]:
    """What is true of every reference value that trustee gets."""
    name, default = value_name(export), DEFAULT_NAMES[export.technology]
    notes = [
        Note(
            "rvps-verifies-nothing",
            "trustee's RVPS verifies nothing and keeps no record of where a value came from: whoever may write to it "
            "decides what is trusted",
        ),
        Note(
            "rvps-resource-policy-decides",
            "trustee's default resource policy releases secrets whatever the launch digest is: load one that reads the "
            "trust claims, such as affirming.rego",
        ),
    ]
    if name == default:
        notes.append(Note("rvps-other-names", _OTHER_NAMES[export.technology]))
    else:
        guests = _GUESTS[export.technology]
        text = f"trustee's default attestation policy asks for {default} of {guests}: load one for {name}"
        notes.append(Note("rvps-name-not-default", text))
    if ":" in name:
        text = f"the stores LocalFs, Postgres and Redis refuse {name}, because of its ':'; LocalJson and Memory take it"
        notes.append(Note("rvps-name-refused-by-stores", text))
    return notes


def stored_notes() -> Sequence[Note]:
    """What is true of a file that is the whole store."""
    return (
        Note(
            "rvps-file-replaces-all",
            "the file is the whole store: every other reference value in the one that it replaces is gone; "
            "to set this value alone, register it with --to rvps",
        ),
        Note(
            "rvps-expiration-ignored",
            "trustee reads the expiration and never compares it with the time: replace the list to end its validity",
        ),
    )


def _object(begin: str, digests: Sequence[bytes]) -> Iterator[bytes]:
    """A JSON object whose last value is the list of digests, in lower-case hex."""
    before = f'{begin}["'
    for at in range(0, len(digests), _AT_ONCE):
        yield (before + '","'.join(map(bytes.hex, digests[at : at + _AT_ONCE]))).encode()
        before = '","'
    yield b'"]}'
