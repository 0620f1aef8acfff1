"""VcpuTypes: names of vCPU models, as aliases of their signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.abi.vcpu import VcpuSignature
from catalog.errors import MalformedRecord, UnknownName, UsageError
from catalog.wire import Wire, decode_toml


class VcpuWire(Wire, frozen=True):
    """One signature and its names."""

    family: int
    model: int
    stepping: int
    names: list[str]
    evidence: str


class VcpuTypesWire(Wire, frozen=True):
    """The file data/vcpu_types.toml."""

    vcpu: list[VcpuWire]


@dataclass(frozen=True, slots=True)
class VcpuTypes:
    """Names to signatures and back. Versions of a model (-v1, -v2...) all have the same signature."""

    by_name: Mapping[str, VcpuSignature]

    @classmethod
    def parse(cls, text: str) -> VcpuTypes:
        by_name: dict[str, VcpuSignature] = {}
        for entry in decode_toml(text, VcpuTypesWire, "vCPU types").vcpu:
            try:
                signature = VcpuSignature.of(family=entry.family, model=entry.model, stepping=entry.stepping)
            except UsageError as error:
                raise MalformedRecord(f"vCPU types: {error}") from error
            for name in entry.names:
                if name in by_name:
                    raise MalformedRecord(f"vCPU types: the name {name!r} occurs twice")
                by_name[name] = signature
        return cls(by_name)

    def signature(self, name: str) -> VcpuSignature:
        """The signature of a name; raises UnknownName, which suggests similar names."""
        if name not in self.by_name:
            raise UnknownName("vCPU type", name, self.by_name)
        return self.by_name[name]

    def names(self, signature: VcpuSignature) -> tuple[str, ...]:
        """All names of a signature, in the order of the file; empty if it has none."""
        return tuple(name for name, known in self.by_name.items() if known == signature)
