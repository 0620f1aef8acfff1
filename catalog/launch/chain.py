"""VcpuChain: everything of a launch but how many vCPUs there are; its digests are a chain, one step a vCPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from catalog.abi.digest import LaunchDigest
from catalog.launch.update import LaunchUpdate

Digests = bytes | memoryview
"""Launch digests one after the other."""


@dataclass(frozen=True, slots=True)
class VcpuChain:
    """state: the technology's, after every launch update but the vCPUs'. bsp: of the first vCPU. ap: of every other."""

    state: Any
    bsp: LaunchUpdate
    ap: LaunchUpdate


class Fold(Protocol):
    """The part of a technology that folding a chain takes."""

    def extend(self, state: Any, update: LaunchUpdate) -> Any: ...

    def finish(self, state: Any) -> LaunchDigest: ...


def fold_chain(technology: Fold, chain: VcpuChain, counts: Sequence[int]) -> bytes:
    """The digests after each count of vCPUs, one after the other: the reference of every hash backend.

    counts: ascending, from 1 on.
    """
    digests, state, vcpus = [], chain.state, 0
    for count in counts:
        while vcpus < count:
            state = technology.extend(state, chain.ap if vcpus else chain.bsp)
            vcpus += 1
        digests.append(technology.finish(state).value)
    return b"".join(digests)
