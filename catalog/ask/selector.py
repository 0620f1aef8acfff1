"""Selectors: which rows a revocation means, from names and numbers as people have them to fields of digest records."""

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
from catalog.rows.fields import DIGEST, RECORD, Field
from catalog.spec import embedded
from catalog.store.catalog import Catalog

NO_KERNEL = "none"
"""How people say that no kernel hashes are measured."""

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def build_selector(catalog: Catalog, selected: Mapping[str, Any]) -> dict[str, Value]:
    """What is given, as fields of digest records.

    selected: by field, as people write it. firmware_sha256, kernel_hashes_sha256: a name that is embedded or that the
    catalog has, or a SHA-256, which nothing else needs to know; of kernel hashes `none`, too. vcpu_type: a name that
    stands for a vCPU signature. Raises UnknownName, MalformedInput for an invalid digest, UsageError for a name of two
    things
    """
    signature = _signature(selected.get("vcpu_type"), selected.get("vcpu_signature"))
    given = {**selected, "vcpu_signature": signature and signature.value}
    return {
        field.name: _value(catalog, field, given[field.name]) for field in RECORD if given.get(field.name) is not None
    }


def _value(catalog: Catalog, field: Field, said: Any) -> Value:
    """The canonical text of a field."""
    if field is DIGEST:
        return LaunchDigest.parse(said).hex()
    if field.name == "technology":
        return technology_named(said).name
    if field.name == "firmware_sha256":
        both = ({name: one.component.sha256 for name, one in at.items()} for at in (embedded.builds(), catalog.builds))
        return _sha256(said, "build", *both)
    if field.name == "kernel_hashes_sha256":
        shipped = {name: record.hashes.table_sha256 for name, record in embedded.kernels().items()}
        listed = {row["name"]: table for table, rows in catalog.kernel_hashes.items() for row in rows}
        return None if said == NO_KERNEL else _sha256(said, "kernel hashes table", shipped, listed)
    if field.name == "vcpus":
        check_vcpus(said)
    text = field.text(said)
    return text if isinstance(text, str) else int(text)


def _sha256(said: str, what: str, *known: Mapping[str, bytes]) -> str:
    if _SHA256.fullmatch(said):
        return said.lower()
    found = {names[said] for names in known if said in names}
    if not found:
        raise UnknownName(what, said, {name for names in known for name in names})
    if len(found) > 1:
        raise UsageError(f"{said} is an embedded {what}, and another one in the catalog of the log", "give its SHA-256")
    return found.pop().hex()


def _signature(vcpu_type: str | None, number: int | None) -> VcpuSignature | None:
    """From a name, a number, or both where they agree."""
    named = None if vcpu_type is None else embedded.vcpu_types().signature(vcpu_type)
    given = None if number is None else VcpuSignature(number)
    if named is not None and given is not None and named != given:
        raise UsageError(f"{vcpu_type} has the vCPU signature {named}, not {given}")
    return given if named is None else named
