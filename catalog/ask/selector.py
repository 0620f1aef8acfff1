"""Selectors of revocations: from names and numbers, as people write them, to fields of records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from catalog.abi.digest import LaunchDigest
from catalog.abi.vcpu import VcpuSignature
from catalog.errors import UnknownName, UsageError
from catalog.launch.point import check_vcpus
from catalog.launch.technology import technology_named
from catalog.log.revocation_text import Value
from catalog.rows.endorsed_record import SELECTABLE
from catalog.rows.fields import DIGEST, RECORD, Field
from catalog.rows.numbers import parse_number
from catalog.spec import embedded
from catalog.store.catalog import Catalog

NONE = "none"
"""The word for null: no kernel hashes are measured, or a document does not say it."""

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_DIGITS = 96
_SNP_DIGEST = re.compile(rf"[0-9a-fA-F]{{{_DIGITS}}}")
"""An SNP baseline, or the launch digest of a base."""


def build_selector(catalog: Catalog, selected: Mapping[str, Any]) -> dict[str, Value]:
    """The selector, as fields of digest records and of endorsed digests with canonical values.

    selected: values by field, as people write them. firmware_sha256 and kernel_hashes_sha256 take an embedded name, a
    name of the catalog, or any SHA-256; the former also the SNP baseline of an image whose SHA-256 is not known, which
    then is the field of the selector; the latter also `none`. base_digest: name of a base, or any launch digest.
    vcpu_type: a name of a vCPU signature. Fields of endorsed digests are text, and may be `none`.

    Raises UnknownName, MalformedInput for an invalid digest, UsageError for an ambiguous name or two signatures.
    """
    signature = _signature(selected.get("vcpu_type"), selected.get("vcpu_signature"))
    given = {**selected, "vcpu_signature": signature and signature.value}
    of_rows = {
        field.name: _value(catalog, field, given[field.name]) for field in RECORD if given.get(field.name) is not None
    }
    image = of_rows.get("firmware_sha256")
    if isinstance(image, str) and len(image) == _DIGITS:
        of_rows["firmware_snp_baseline"] = of_rows.pop("firmware_sha256")
    return of_rows | {name: _of_endorsed(name, given[name]) for name in SELECTABLE if given.get(name) is not None}


def _of_endorsed(name: str, text: str) -> Value:
    """The canonical value of a field of endorsed digests; raises UsageError for one that none can have."""
    value: Value = None if text == NONE else text
    if name == "endorser_svn" and value is not None:
        value = parse_number(text)
    if name == "document_sha256" and value is not None:
        value = text.lower()
    if not SELECTABLE[name](value):
        raise UsageError(f"no endorsed digest can have {name} {text!r:.80}")
    return value


def _value(catalog: Catalog, field: Field, value: Any) -> Value:
    """The canonical text of a field."""
    if field is DIGEST:
        return LaunchDigest.parse(value).hex()
    if field.name == "technology":
        return technology_named(value).name
    if field.name == "firmware_sha256":
        both = ({name: one.component.key for name, one in at.items()} for at in (embedded.builds(), catalog.builds))
        return _hash(value, "build", *both)
    if field.name == "base_digest":
        return _hash(value, "base", {base.label: one for one, bases in catalog.bases.items() for base in bases})
    if field.name == "kernel_hashes_sha256":
        shipped = {name: record.hashes.table_sha256 for name, record in embedded.kernels().items()}
        listed = {row["name"]: table for table, rows in catalog.kernel_hashes.items() for row in rows}
        return None if value == NONE else _hash(value, "kernel hashes table", shipped, listed)
    if field.name == "vcpus":
        check_vcpus(value)
    text = field.text(value)
    return text if isinstance(text, str) else int(text)


def _hash(value: str, what: str, *known: Mapping[str, bytes]) -> str:
    forms = {"build": (_SHA256, _SNP_DIGEST), "base": (_SNP_DIGEST,)}.get(what, (_SHA256,))
    if any(form.fullmatch(value) for form in forms):
        return value.lower()
    found = {names[value] for names in known if value in names}
    if not found:
        raise UnknownName(what, value, {name for names in known for name in names})
    if len(found) > 1:
        raise UsageError(f"{value} is an embedded {what}, but another one in the log's catalog", "give its SHA-256")
    return found.pop().hex()


def _signature(vcpu_type: str | None, number: int | None) -> VcpuSignature | None:
    """The vCPU signature from a name, a number, or both; raises UsageError if they differ."""
    named = None if vcpu_type is None else embedded.vcpu_types().signature(vcpu_type)
    given = None if number is None else VcpuSignature(number)
    if named is not None and given is not None and named != given:
        raise UsageError(f"{vcpu_type} has the vCPU signature {named}, not {given}")
    return given if named is None else named
