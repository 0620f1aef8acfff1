"""The bases of a spec: published launch digests that rows with more vCPUs continue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from itertools import pairwise

from catalog.errors import MalformedRecord, UsageError
from catalog.imports.endorsed_facts import Base
from catalog.launch.profile import VmmProfile
from catalog.launch.vcpu_types import VcpuTypes
from catalog.rows.launch_base import LaunchBase

_OWN = ("name", "endorser")
"""What bases with one launch digest may differ in."""


def spec_bases(bases: Iterable[Base], profiles: Mapping[str, VmmProfile], types: VcpuTypes) -> tuple[LaunchBase, ...]:
    """The bases by name, each with all facts that are known of its launch digest, and equal ones once.

    Raises MalformedRecord if two contradict each other, UnknownName for a VMM profile or vCPU type that is not known,
    UsageError if two have one name.
    """
    given = sorted(bases, key=lambda base: (base.name is None, base.label))  # of equal ones the first name is kept
    known: dict[bytes, Base] = {}
    for base in given:
        known[base.digest] = _joined(known.get(base.digest, base), base)
    joined = (replace(known[base.digest], name=base.label, endorser=base.endorser) for base in given)
    found = sorted(dict.fromkeys(joined), key=lambda base: base.label)
    for one, other in pairwise(found):
        if one.label == other.label:
            raise UsageError(f"two bases of the spec have the name {one.label!r}", "give each a name in its record")
    return tuple(LaunchBase.of(base, profiles, types) for base in found)


def _joined(one: Base, other: Base) -> Base:
    """All facts that one of two bases with the same launch digest knows; raises MalformedRecord if they differ."""
    found = {}
    for field in fields(Base):
        name, own, others = field.name, getattr(one, field.name), getattr(other, field.name)
        if name not in _OWN and None not in (own, others) and own != others:
            raise MalformedRecord(f"{other.label}: another base has the same launch digest and another {name}")
        found[name] = others if own is None else own
    return Base(**found)
