"""Find a digest that a catalog does not keep: extend it VMSA by VMSA until a distinguished digest is reached.

This works only if the launch digest is the state that is extended: SEV-SNP. The number of steps gives the vCPU count
of the digest that is looked up; that configuration is then measured, and is a match only if it has that digest.
"""

from __future__ import annotations

from dataclasses import replace

from catalog.build.distinguished import REACH
from catalog.errors import CannotLaunch, LdcatError
from catalog.fast.index import Group, Index
from catalog.fast.match import Match
from catalog.fast.names import PROFILES, TABLES
from catalog.fast.packed import PackedCatalog
from catalog.fast.verity import DamagedBlock
from catalog.launch.point import MAX_VCPUS, Point, VcpuPoint
from catalog.launch.technology import technology_named
from catalog.launch.update import LaunchUpdate
from catalog.rows.fields import IDENTITY
from catalog.rows.launch_config import LaunchConfig
from catalog.store.catalog import Catalog


class Walker:
    """Walks digests of one technology. Raises DamagedBlock if index and components do not match."""

    def __init__(self, catalog: Catalog, packed: PackedCatalog, technology: str, index: Index) -> None:
        self._catalog = catalog
        self._packed = packed
        self._technology = technology_named(technology)
        self._index = index

    def lookup(self, digest: bytes) -> list[Match]:
        """Every configuration with this digest whose walk leads to a kept digest."""
        found: dict[tuple[int, int], list[Match]] = {}
        for update in self._steps():
            state, walked = digest, 0
            while not self._kept(state) and walked <= REACH << self._index.distinguished_bits:
                state, walked = self._technology.extend(state, update), walked + 1
            for ordinal in self._index.find(state):
                group = self._index.group_of(ordinal)
                signature, features, reached = group.at(ordinal)
                vcpus = (reached or 0) - walked
                if 1 <= vcpus <= MAX_VCPUS and self._measured(group, signature, features, vcpus) == digest:
                    listed = vcpus in group.counts
                    found[ordinal, vcpus] = self._packed.matches(
                        digest, self._technology.name, group, (signature, features, vcpus), listed=listed
                    )
        return [match for matches in found.values() for match in matches]

    def _kept(self, state: bytes) -> bool:
        return not int.from_bytes(state[-8:], "big") & ((1 << self._index.distinguished_bits) - 1)

    def _steps(self) -> set[LaunchUpdate]:
        """The launch update of an AP, for each combination of reset vector and vCPU in the index."""
        kinds: dict[tuple[int | None, Point], LaunchUpdate] = {}
        for group in self._index.groups():
            for signature in group.signatures or (None,):
                for features in group.features or (None,):
                    config = replace(self._config(group, signature, features, 2), kernel_hashes=None)
                    kind = (config.image.reset_vector, config.point)
                    if kind not in kinds:
                        *_, others = self._technology.update_runs(config.image, config.point)
                        (kinds[kind],) = others.updates
        return set(kinds.values())

    def _measured(self, group: Group, signature: int | None, features: int | None, vcpus: int) -> bytes | None:
        """The launch digest of a configuration; None if it cannot launch."""
        try:
            return self._config(group, signature, features, vcpus).digest().value
        except CannotLaunch:
            return None

    def _config(self, group: Group, signature: int | None, features: int | None, vcpus: int) -> LaunchConfig:
        """The launch configuration of a row, from the components that the catalog has."""
        name = self._technology.name
        table = None if group.kernel_hashes is None else self._packed.component(name, TABLES, group.kernel_hashes)
        identity = dict(zip(IDENTITY, self._packed.identity(group), strict=True))
        hashes = {**identity, "kernel_hashes_sha256": table}
        row = {
            "technology": name,
            **{one: None if value is None else bytes.fromhex(value) for one, value in hashes.items()},
            "vmm": None if group.vmm is None else self._packed.component(name, PROFILES, group.vmm),
            "vcpu_signature": signature,
            "sev_features": features,
            "vcpus": vcpus,
        }
        try:
            config = self._catalog.launch_components.config(row)
            if isinstance(config.point, VcpuPoint):
                return config
        except (ValueError, LdcatError) as error:
            raise DamagedBlock("the index has a row whose components the catalog does not list") from error
        raise DamagedBlock("the index has a row whose components the catalog does not list")
