"""Reference values of trustee's RVPS: a message of type `sample`, or the LocalJson file of its store.

Names that speak of a measurement hold SEV-SNP launch digests, those with `mr_td` MRTDs; all other names are left out,
and named. Source: confidential-containers/trustee, rvps/src/lib.rs, rvps/src/extractors/sample,
rvps/src/storage/local_json, attestation-service/src/ear_token/ear_default_policy_cpu.rego.
"""

from __future__ import annotations

import re
from typing import Any

from catalog.errors import MalformedRecord
from catalog.imports.documents import Document, Form, Given
from catalog.imports.endorsed_facts import EndorsedDigest, Endorser
from catalog.imports.imported import Imported
from catalog.imports.strict_json import as_record, check_count, load_json, unbase64
from catalog.wire import Wire, unhex

NAME = "rvps"
VERSION = "0.1.0"

_EXPIRY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_MOST_NAMES = 256


class Message(Wire, frozen=True):
    """What is sent to the RVPS."""

    version: str
    type: str
    payload: str


class Stored(Wire, frozen=True):
    """A value of the LocalJson file, in base64url."""

    name: str
    expiration: str
    value: Any
    version: str = VERSION


def recognizes(document: Document) -> bool:
    """Whether it is an object with `payload` and `type`, or one whose values are all base64url of an object."""
    value = document.json
    if not isinstance(value, dict) or not value:
        return False
    if {"payload", "type"} <= set(value):
        return True
    return all(isinstance(one, str) and one.startswith(("ey", "ew")) for one in value.values())  # base64 of {


def parse(document: Document, _given: Given) -> Imported:
    """The endorsed digests; raises MalformedRecord."""
    if "payload" in document.json:
        values = _message(document.json)
        notes = list[str]()
    else:
        values, notes = _stored(document.json)
    left_out = [name for name in values if _technology(name) is None]
    if left_out:
        notes.append(f"left out, no launch digests: {', '.join(sorted(left_out))}")
    endorsed = [
        one
        for name, value in values.items()
        if (technology := _technology(name)) is not None
        for one in _endorsed(name, value, technology)
    ]
    check_count(len(endorsed), f"{NAME}: launch digests")
    return Imported(NAME, document.sha256, endorsed=tuple(endorsed), notes=tuple(notes))


def _message(value: object) -> dict[str, Any]:
    wire = as_record(value, Message, NAME)
    if wire.version != VERSION:
        raise MalformedRecord(f"{NAME}: $.version: {wire.version[:24]!r} is not {VERSION!r}")
    if wire.type != "sample":
        raise MalformedRecord(f"{NAME}: $.type: {wire.type[:24]!r} is not 'sample'")
    inner = load_json(unbase64(wire.payload, f"{NAME}: $.payload"), f"{NAME}: payload")
    return as_record(inner, dict[str, Any], f"{NAME}: payload")


def _stored(value: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    check_count(len(value), f"{NAME}: $", most=_MOST_NAMES)
    values, notes = dict[str, Any](), list[str]()
    for name, text in value.items():
        path = f"{NAME}: $.{name[:64]}"
        inner = load_json(unbase64(text, path, url=True), path)
        wire = as_record(inner, Stored, path)
        if wire.version != VERSION:
            raise MalformedRecord(f"{path}: version: {wire.version[:24]!r} is not {VERSION!r}")
        if wire.name != name:
            raise MalformedRecord(f"{path}: the value inside is named {wire.name[:64]!r}")
        if not _EXPIRY.fullmatch(wire.expiration):
            raise MalformedRecord(f"{path}: expiration: {wire.expiration[:24]!r} is not YYYY-MM-DDTHH:MM:SSZ")
        values[name] = wire.value
        notes.append(f"{name} expires {wire.expiration[:10]}")
    return values, notes


def _technology(name: str) -> str | None:
    """What a value with this name is a launch digest of; None: it is none."""
    if "mr_td" in name:
        return "tdx"
    return "sev-snp" if "measurement" in name and "tdx" not in name else None


def _endorsed(name: str, value: object, technology: str) -> list[EndorsedDigest]:
    path = f"{NAME}: {name[:64]}"
    listed = [value] if isinstance(value, str) else as_record(value, list[str], path)
    check_count(len(listed), path)
    digests = [unhex(text, 48, f"{path}: $[{at}]") for at, text in enumerate(listed)]
    if len(set(digests)) != len(digests):
        raise MalformedRecord(f"{path}: one digest is there twice")
    return [EndorsedDigest(digest, technology, Endorser(NAME, feed=name)) for digest in digests]


FORM = Form(NAME, "RVPS reference values", recognizes, parse)
