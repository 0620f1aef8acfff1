"""Reference values of Contrast: a manifest, reference values alone, or JSON patches of them.

A value with APEIP is the digest of one vCPU, from which Contrast itself extends to more: it is a base, too. Values for
TDX have an MRTD; what else they have, such as RTMRs, says nothing about it.
Source: edgelesssys/contrast, internal/manifest/referencevalues.go; SNP ABI, Guest Policy (bits).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from catalog.errors import MalformedRecord
from catalog.imports.documents import Document, Form, Given
from catalog.imports.endorsed_facts import Base, Claims, EndorsedDigest, Endorser
from catalog.imports.imported import Imported
from catalog.imports.strict_json import as_record, check_count
from catalog.wire import U32, unhex

NAME = "contrast"

_BITS = {
    "SMT": 16,
    "MigrateMA": 18,
    "Debug": 19,
    "SingleSocket": 20,
    "CXLAllowed": 21,
    "MemAES256XTS": 22,
    "RAPLDis": 23,
    "CipherTextHidingDRAM": 24,
    "PageSwapDisable": 25,
}
"""Bits of the guest policy by the names of go-sev-guest; bit 17 is always set."""

_KINDS = ("snp", "tdx")
_RESERVED_ONE = 1 << 17
_EIP = re.compile("[0-9a-f]{8}")
_PRODUCT = re.compile("[A-Za-z][A-Za-z0-9]{0,31}")
_OPERATIONS = ("test", "add", "replace")


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A reference value for SEV-SNP; fields that say nothing about a launch digest are not read."""

    digest: str = msgspec.field(name="TrustedMeasurement")
    product: str | None = msgspec.field(name="ProductName", default=None)
    cpus: U32 | None = msgspec.field(name="CPUs", default=None)
    ap_eip: str | None = msgspec.field(name="APEIP", default=None)
    policy: dict[str, bool | int] | None = msgspec.field(name="GuestPolicy", default=None)


class TdxValue(msgspec.Struct, frozen=True, kw_only=True):
    """A reference value for TDX; fields that say nothing about an MRTD are not read."""

    mrtd: str = msgspec.field(name="MrTd")
    cpus: U32 | None = msgspec.field(name="CPUs", default=None)


class Operation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step of a JSON patch (RFC 6902)."""

    op: str
    path: str
    value: Any


def recognizes(document: Document) -> bool:
    """Whether it has reference values under `snp` or `tdx`, or is a list of lists of operations."""
    value = document.json
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], list) and all(
            isinstance(step, dict) and "op" in step and "path" in step for step in value[0]
        )  # fmt: skip
    return isinstance(value, dict) and _listed(value) is not None


def parse(document: Document, _given: Given) -> Imported:
    """The endorsed digests and bases; raises MalformedRecord."""
    if isinstance(document.json, list):
        check_count(len(document.json), f"{NAME}: $")
        patched = [(_patched(patch, f"{NAME}: $[{at}]"), f"{NAME}: $[{at}]") for at, patch in enumerate(document.json)]
        values = [("tdx" if "MrTd" in fields else "snp", fields, path) for fields, path in patched]
    else:
        values = _listed(document.json) or []
    endorsed, bases = dict[EndorsedDigest, None](), dict[Base, None]()
    for kind, fields, path in values:
        if kind == "tdx":
            endorsed[_mrtd(as_record(fields, TdxValue, path), path)] = None
            continue
        one = _endorsed(as_record(fields, Value, path), path)
        endorsed[one] = None
        if one.claims.reset_vector is not None and one.claims.vcpus is not None:
            base = Base(
                one.digest,
                one.technology,
                one.endorser,
                one.claims.vcpus,
                reset_vector=one.claims.reset_vector,
                product=one.claims.product,
            )
            bases[base] = None
    check_count(len(endorsed), f"{NAME}: reference values")
    return Imported(NAME, document.sha256, endorsed=tuple(endorsed), bases=tuple(bases))


def _listed(value: dict[str, Any]) -> list[tuple[str, Any, str]] | None:
    """Each value under `snp` and `tdx`, which is its kind, with its path.

    They are of a manifest, of reference values, or of a map of reference values by runtime.
    """
    if isinstance(inner := value.get("ReferenceValues"), dict):
        found = {"$.ReferenceValues": inner}
    elif not value.keys().isdisjoint(_KINDS):
        found = {"$": value}
    else:
        found = {f"$.{name[:64]}": one for name, one in value.items() if isinstance(one, dict)}
    lists = [(kind, one[kind], f"{path}.{kind}") for path, one in found.items() for kind in _KINDS if kind in one]
    if not lists or not all(isinstance(one, list) for _, one, _ in lists):
        return None
    return [(kind, entry, f"{NAME}: {path}[{at}]") for kind, one, path in lists for at, entry in enumerate(one)]


def _patched(patch: Any, path: str) -> dict[str, Any]:
    """What a reference value has after a patch: what it tests for, and what it sets."""
    fields: dict[str, Any] = {}
    for at, step in enumerate(as_record(patch, list[Operation], path)):
        if step.op not in _OPERATIONS:
            raise MalformedRecord(f"{path}[{at}].op: {step.op[:24]!r} is none of {', '.join(_OPERATIONS)}")
        name = step.path.removeprefix("/")
        if step.op != "test" or name not in ("TrustedMeasurement", "MrTd"):
            fields[name] = step.value
    return fields


def _endorsed(wire: Value, path: str) -> EndorsedDigest:
    if wire.product is not None and not _PRODUCT.fullmatch(wire.product):
        raise MalformedRecord(f"{path}.ProductName: {wire.product[:24]!r} is no name of processors")
    if wire.ap_eip is not None and not _EIP.fullmatch(wire.ap_eip):
        raise MalformedRecord(f"{path}.APEIP: {wire.ap_eip[:24]!r} is not 8 lowercase hex digits")
    reset_vector = None if wire.ap_eip is None else int(wire.ap_eip, 16)
    vcpus = wire.cpus if wire.cpus is not None or reset_vector is None else 1
    claims = Claims(vcpus=vcpus, product=wire.product, policy=_policy(wire.policy, path), reset_vector=reset_vector)
    return EndorsedDigest(unhex(wire.digest, 48, f"{path}.TrustedMeasurement"), "sev-snp", Endorser(NAME), claims)


def _mrtd(wire: TdxValue, path: str) -> EndorsedDigest:
    return EndorsedDigest(unhex(wire.mrtd, 48, f"{path}.MrTd"), "tdx", Endorser(NAME), Claims(vcpus=wire.cpus))


def _policy(fields: dict[str, bool | int] | None, path: str) -> int | None:
    """The guest policy as the SNP ABI packs it."""
    if fields is None:
        return None
    policy = _RESERVED_ONE
    for name, value in fields.items():
        if name in _BITS and isinstance(value, bool):
            policy |= value << _BITS[name]
        elif name in ("ABIMinor", "ABIMajor") and not isinstance(value, bool) and 0 <= value < 256:
            policy |= value << (8 if name == "ABIMajor" else 0)
        else:
            raise MalformedRecord(f"{path}.GuestPolicy: {name[:32]!r} is no part of a policy, or not with this value")
    return policy


FORM = Form(NAME, "Contrast reference values", recognizes, parse)
