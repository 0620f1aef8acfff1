"""Constraints of a spec: which combinations of components and values are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import msgspec

from catalog.abi.vcpu import VcpuSignature
from catalog.errors import MalformedRecord, UnknownName, UsageError
from catalog.launch.technology import technology_named
from catalog.launch.vcpu_types import VcpuTypes
from catalog.rows.numbers import Number, parse_counts, parse_number
from catalog.wire import Wire


class SelectorWire(Wire, frozen=True, omit_defaults=True):
    """Selects points: a point has to match every field that is given. Names may be globs."""

    technology: list[str] | None = None
    firmware: list[str] | None = None
    kernel_hashes: list[str] | None = None
    vmm: list[str] | None = None
    vcpu_signatures: list[Number] | None = None
    sev_features: list[Number] | None = None
    vcpus: list[Number] | None = None


class ConstraintWire(Wire, frozen=True):
    """A constraint: points that `when` selects are kept only if `only` selects them, too."""

    when: SelectorWire
    only: SelectorWire


@dataclass(frozen=True, slots=True)
class Configuration:
    """A point without its vCPU count and the names of its technology and components; None: not measured."""

    vmm: str | None
    vcpu_signature: VcpuSignature | None
    sev_features: int | None


@dataclass(frozen=True, slots=True)
class Names:
    """Names that a constraint may use.

    by_kind: names by field: firmware, kernel_hashes and vmm.
    same: field, and names that stand for the same bytes.
    """

    by_kind: Mapping[str, Collection[str]]
    same: Sequence[tuple[str, Collection[str]]]


@dataclass(frozen=True, slots=True)
class Selector:
    """A SelectorWire with its numbers parsed; None: any value matches."""

    names: Mapping[str, Sequence[str]]
    vcpu_signatures: Collection[VcpuSignature] | None
    sev_features: Collection[int] | None
    vcpus: Collection[int] | None

    @classmethod
    def of(cls, wire: SelectorWire, types: VcpuTypes) -> Selector:
        """Parse the numbers; raises UsageError or UnknownName for an invalid one."""
        fields = ("technology", "firmware", "kernel_hashes", "vmm")
        return cls(
            names={field: patterns for field in fields if (patterns := getattr(wire, field)) is not None},
            vcpu_signatures=None if wire.vcpu_signatures is None else signatures(wire.vcpu_signatures, types),
            sev_features=None if wire.sev_features is None else {parse_number(v) for v in wire.sev_features},
            vcpus=None if wire.vcpus is None else parse_counts(wire.vcpus),
        )

    def without(self, fields: Collection[str]) -> Selector:
        """The same selector, without what it asks of names of some fields."""
        return replace(self, names={field: value for field, value in self.names.items() if field not in fields})

    def selects(self, configuration: Configuration, *, unmeasured: bool) -> bool:
        """Whether every field but vcpus matches. unmeasured: the answer for a field that is not measured.

        For a selector of `of_names`: of the names only the VMM's is left.
        """
        patterns, vmm = self.names.get("vmm"), configuration.vmm
        return (
            (patterns is None or (unmeasured if vmm is None else matches(patterns, vmm)))
            and among(self.vcpu_signatures, configuration.vcpu_signature, unmeasured=unmeasured)
            and among(self.sev_features, configuration.sev_features, unmeasured=unmeasured)
        )


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint.

    text: its text in the `left_out` reasons of a manifest.
    refuses: whether names that are decided already keep `only` from selecting anything.
    """

    text: str
    when: Selector
    only: Selector
    refuses: bool = False

    @classmethod
    def of(cls, wire: ConstraintWire, types: VcpuTypes, names: Names) -> Constraint:
        """Read a constraint. Raises UnknownName for a name or glob without a match, MalformedRecord if it separates
        names with the same bytes, and as `Selector.of`.
        """
        text = f"when {_shown(wire.when)} only {_shown(wire.only)}"
        rule = cls(text, Selector.of(wire.when, types), Selector.of(wire.only, types))
        for selector in (rule.when, rule.only):
            for name in selector.names.get("technology", ()):
                technology_named(name)
            for field, known in names.by_kind.items():
                for pattern in selector.names.get(field, ()):
                    if not any(fnmatchcase(name, pattern) for name in known):
                        raise UnknownName(f"{field} of a constraint", pattern, known)
            for field, group in names.same:
                named = {name for name in group if matches(selector.names.get(field, ["*"]), name)}
                if named and named != set(group):
                    raise MalformedRecord(
                        f"a constraint treats {min(named)!r} and {min(set(group) - named)!r} differently, "
                        "but they are the same image",
                        "name both: they have the same launch digests",
                    )
        return rule

    def of_names(self, names: Mapping[str, str | None]) -> Constraint | None:
        """What this constraint still asks of configurations with these names, by field; None if it selects none."""
        for field, name in names.items():
            patterns = self.when.names.get(field)
            if patterns is not None and (name is None or not matches(patterns, name)):
                return None
        given = [(self.only.names.get(field, ["*"]), name) for field, name in names.items() if name is not None]
        refuses = not all(matches(patterns, name) for patterns, name in given)
        return replace(self, when=self.when.without(names), only=self.only.without(names), refuses=refuses)

    def keeps(self, configuration: Configuration, vcpus: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The vCPU counts of a configuration that this constraint keeps."""
        if not self.when.selects(configuration, unmeasured=False):
            return vcpus
        goes = not self.refuses and self.only.selects(configuration, unmeasured=True)
        if self.when.vcpus is None and not (goes and self.only.vcpus):
            return vcpus if goes else ()
        return tuple(
            n
            for n in vcpus
            if not among(self.when.vcpus, n, unmeasured=False) or (goes and among(self.only.vcpus, n, unmeasured=True))
        )


def matches(patterns: Iterable[str], name: str) -> bool:
    """Whether a name matches any of `patterns`, which may be globs."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def among(values: Collection[object] | None, value: object, *, unmeasured: bool) -> bool:
    """Whether a value is one of `values`; None: any value. unmeasured: the answer if `value` is None."""
    if values is None:
        return True
    return unmeasured if value is None else value in values


def signatures(values: Iterable[Number], types: VcpuTypes) -> set[VcpuSignature]:
    """vCPU signatures from names and numbers; raises UnknownName or UsageError."""
    return {_signature(value, types) for value in values}


def _signature(value: Number, types: VcpuTypes) -> VcpuSignature:
    if isinstance(value, int):
        return VcpuSignature(value)
    if value in types.by_name:
        return types.by_name[value]
    try:
        return VcpuSignature(parse_number(value))
    except UsageError as error:
        raise UnknownName("vCPU type", value, types.by_name) from error


def _shown(wire: SelectorWire) -> str:
    return msgspec.json.encode(wire, order="sorted").decode("utf-8")
