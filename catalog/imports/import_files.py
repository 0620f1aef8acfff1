"""What an import is written as: files by name, each with its bytes; and the same facts as JSON."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from catalog.firmware.build import OriginWire, toml_text
from catalog.firmware.metadata import Area, Section
from catalog.imports.component_facts import FirmwareFacts, KernelFacts
from catalog.imports.endorsed_facts import Base, Claims, EndorsedDigest, Endorser
from catalog.imports.import_toml import import_toml, kernel_toml
from catalog.imports.imported import Imported

FIRMWARE, KERNELS = "firmware", "kernel_hashes"
"""Folders of records, as in data/."""

DOCUMENTS = "documents"
"""Folder of the documents that endorse something, each named by its SHA-256."""

_FROM = b"# from "
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 120


def import_files(imported: Imported, data: bytes) -> dict[str, bytes]:
    """The files of an import by name, components named.

    A firmware from which SEV-SNP digests follow, and a kernel whose hashes are all known, have records of their own, as
    in data/firmware and data/kernel_hashes. Other components, endorsed digests and bases are in one import record. A
    document that endorses something is kept as it is.
    """
    found: dict[str, bytes] = {}
    for firmware in imported.firmware:
        if build := firmware.record():
            if build.origin is None and imported.origin is not None:
                build = replace(build, origin=OriginWire(package=imported.origin))
            found[f"{FIRMWARE}/{_file_name(build.name)}"] = _said(imported) + build.to_toml().encode()
    for kernel in imported.kernels:
        if kernel.is_whole:
            name = _file_name(kernel.name or imported.form)
            found[f"{KERNELS}/{name}"] = _said(imported) + kernel_toml(kernel).encode()
    partly = any(one.record() is None for one in imported.firmware) or not all(one.is_whole for one in imported.kernels)
    if partly or imported.endorsed or imported.bases:
        record = import_toml(imported).encode()
        found[_file_name(f"{imported.form}-{_hash(imported, record).hex()[:12]}")] = record
    if imported.endorsed and hashlib.sha256(data).digest() == imported.document_sha256:
        found[f"{DOCUMENTS}/{imported.document_sha256.hex()}"] = data
    return found


def _hash(imported: Imported, record: bytes) -> bytes:
    """What names a record: the SHA-256 of its document, or its own if there is no document."""
    return imported.document_sha256 or hashlib.sha256(record).digest()


def _said(imported: Imported) -> bytes:
    """The comment before a record: from which document it is, for which its format has no key."""
    by = f", published by {toml_text(imported.origin)}" if imported.origin else ""
    document = f" document {imported.document_sha256.hex()}" if imported.document_sha256 else ""
    return _FROM + f"{imported.form}{document}{by}\n".encode()


def without_comment(record: bytes) -> bytes:
    """A record without the comment that names its document: two documents may say the same."""
    first, _, facts = record.partition(b"\n")
    return facts if first.startswith(_FROM) else record


def _file_name(name: str) -> str:
    return f"{_NOT_IN_NAMES.sub('_', name)[:_LONGEST_NAME].lstrip('.') or 'unnamed'}.toml"


def to_dict(imported: Imported) -> dict[str, Any]:
    """All facts as JSON: hashes in lower-case hex, null for what is not known."""
    return {
        "form": imported.form,
        "document_sha256": _plain(imported.document_sha256),
        "checked": imported.checked,
        "recorded": imported.recorded,
        "origin": imported.origin,
        "document_time": imported.document_time,
        "certificate_until": imported.certificate_until,
        "firmware": [_plain(one, without="build") for one in imported.firmware],
        "kernels": [_plain(one, without="record") for one in imported.kernels],
        "endorsed": [_plain(one) for one in imported.endorsed],
        "bases": [_plain(one) for one in imported.bases],
        "notes": list(imported.notes),
    }


_JSON_NAMES: Mapping[str, str] = {"digest": "launch_digest", "kind": "type"}


def _plain(value: Any, *, without: str | None = None) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Section):
        return {"gpa": value.gpa, "size": value.size, "type": value.name}
    if isinstance(value, Area):
        return {"gpa": value.gpa, "size": value.size}
    if isinstance(value, FirmwareFacts | KernelFacts | EndorsedDigest | Endorser | Claims | Base):
        names = [one.name for one in fields(value) if one.name != without]
        return {_JSON_NAMES.get(name, name): _plain(getattr(value, name)) for name in names}
    return value
