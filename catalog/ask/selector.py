"""Selectors: which rows a revocation means, from names and numbers as people have them to fields of digest records."""

from __future__ import annotations

import re
from collections.abc import Mapping

from catalog.abi.digest import LaunchDigest
from catalog.abi.vcpu import VcpuSignature
from catalog.errors import UnknownName, UsageError
from catalog.launch.point import check_vcpus
from catalog.launch.technology import technology_named
from catalog.log.revocation_text import Value
from catalog.spec import embedded
from catalog.store.catalog import Catalog

NO_KERNEL = "none"
"""How people say that no kernel hashes are measured."""

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def selector_of(
    catalog: Catalog,
    *,
    digest: str | None = None,
    technology: str | None = None,
    firmware: str | None = None,
    kernel_hashes: str | None = None,
    vmm: str | None = None,
    vcpus: int | None = None,
    vcpu_type: str | None = None,
    vcpu_signature: int | None = None,
    sev_features: int | None = None,
) -> dict[str, Value]:
    """What is given, as fields of digest records.

    firmware, kernel_hashes: a name that is embedded or that the catalog has, or a SHA-256, which nothing else needs to
    know; of kernel hashes `none`, too. Raises UnknownName, MalformedInput for what is no digest, UsageError for a name
    of two things and for what no row can have.
    """
    found: dict[str, Value] = {}
    if digest is not None:
        found["launch_digest"] = LaunchDigest.parse(digest).hex()
    if technology is not None:
        found["technology"] = technology_named(technology).name
    if firmware is not None:
        both = (
            {name: build.component.sha256 for name, build in at.items()} for at in (embedded.builds(), catalog.builds)
        )
        found["firmware_sha256"] = _sha256(firmware, "build", *both)
    if kernel_hashes is not None:
        shipped = {name: record.hashes.table_sha256 for name, record in embedded.kernels().items()}
        listed = {row["name"]: table for table, rows in catalog.kernel_hashes.items() for row in rows}
        no_kernel = kernel_hashes == NO_KERNEL
        found["kernel_hashes_sha256"] = (
            None if no_kernel else _sha256(kernel_hashes, "kernel hashes table", shipped, listed)
        )
    if vmm is not None:
        found["vmm"] = vmm
    if vcpus is not None:
        check_vcpus(vcpus)
        found["vcpus"] = vcpus
    if (signature := _signature(vcpu_type, vcpu_signature)) is not None:
        found["vcpu_signature"] = str(signature)
    if sev_features is not None:
        found["sev_features"] = f"{sev_features:#x}"
    return found


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
