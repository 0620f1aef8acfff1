"""The sweeps of a technology as the groups of its index list them, from the components of the catalog."""

from __future__ import annotations

import itertools
from array import array
from dataclasses import dataclass

from catalog.audit.recompute import sweep_of
from catalog.fast.index import Index
from catalog.fast.names import Names
from catalog.fast.verity import DamagedBlock
from catalog.rows.launch_config import VcpuSweep
from catalog.store.catalog import Catalog
from catalog.store.index.index_groups import GROUPED, group_components


@dataclass(frozen=True, slots=True)
class IndexedSweeps:
    """Sweeps in the order of their ordinals; no two have the same inputs.

    starts: ordinal of the first row of each.
    """

    sweeps: list[VcpuSweep]
    starts: array[int]


def indexed_sweeps(catalog: Catalog, index: Index, names: Names) -> IndexedSweeps:
    """Read all groups of an index.

    Raises DamagedBlock if they are invalid, have inputs twice, or do not have one ordinal for each row; MalformedRecord
    and UsageError for a sweep that cannot launch, or has a component that the catalog lacks.
    """
    known, seen = catalog.launch_components, set()
    lists: dict[tuple[int, ...], tuple[int | None, ...]] = {}  # equal lists are one object, to be hashed together
    found = IndexedSweeps([], array("Q"))
    ordinal = 0
    for group in index.groups():
        if group.first != ordinal or group.first + group.rows > index.rows:
            raise DamagedBlock("its groups are not consecutive")
        if any(count >= following for count, following in itertools.pairwise(group.counts)):
            raise DamagedBlock("its vCPU counts are not ascending")
        vcpus = lists.setdefault(group.counts, group.counts or (None,))
        components = dict(zip(GROUPED, group_components(group, names), strict=True))
        for signature, features in itertools.product(group.signatures or (None,), group.features or (None,)):
            row = {**components, "vcpu_signature": signature, "sev_features": features}
            if (inputs := tuple(row.values())) in seen:
                raise DamagedBlock("its groups have the same inputs twice")
            seen.add(inputs)
            found.sweeps.append(sweep_of(known, {"technology": index.technology, **row}, vcpus))
            found.starts.append(ordinal)
            ordinal += len(vcpus)
    if ordinal != index.rows:
        raise DamagedBlock("its groups do not have as many rows as it has entries")
    return found
