"""VcpuChain: a launch up to the first VMSA, plus the updates of BSP and AP: the digest for n vCPUs is n folds away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from catalog.abi.digest import LaunchDigest
from catalog.launch.update import LaunchUpdate

SIDE_BY_SIDE = 48
"""Chains that the widest hash implementations hash at once, or in three passes: groups of many are multiples of it."""

Digests = bytes | memoryview
"""Launch digests of one size, one after the other."""


class VcpuChain(NamedTuple):
    """A launch without its number of vCPUs.

    state: of the technology, after every launch update before the VMSAs.
    bsp: launch update of the first vCPU.
    ap: launch update of each other vCPU.
    """

    state: Any
    bsp: LaunchUpdate
    ap: LaunchUpdate


class Fold(Protocol):
    """The methods of Technology that `fold_chain` uses."""

    def extend(self, state: Any, update: LaunchUpdate) -> Any: ...

    def finish(self, state: Any) -> LaunchDigest: ...


def fold_chain(technology: Fold, chain: VcpuChain, counts: Sequence[int]) -> bytes:
    """The digests after each count of vCPUs, one after the other. Hash backends are tested against this function.

    counts: ascending, 1 or more.
    """
    digests, state, vcpus = [], chain.state, 0
    for count in counts:
        while vcpus < count:
            state = technology.extend(state, chain.ap if vcpus else chain.bsp)
            vcpus += 1
        digests.append(technology.finish(state).value)
    return b"".join(digests)
