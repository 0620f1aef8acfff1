"""Relate: finds which of some launch digests are of one launch with different numbers of vCPUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from catalog.abi.digest import SNP_DIGEST_SIZE, LaunchDigest
from catalog.errors import UsageError
from catalog.launch.hashing.backends import HashBackend
from catalog.launch.point import MAX_VCPUS
from catalog.relate.ap_pages import (
    UPPER_HALF,
    ap_pages,
    known_pages,
    known_reset_addresses,
    usual_features,
)
from catalog.relate.equal_steps import Step, steps_between
from catalog.relate.related_chains import Chain, chains_of, short
from catalog.relate.reset_addresses import MOST_SEARCHED, UPPER_HALVES, count_steps, search_stages
from catalog.work.engine import Engine
from catalog.work.progress import StartProgress

MOST = 511
"""How many more vCPUs are tried by default: guests of up to 512 vCPUs."""

MAX_DIGESTS = 10_000
"""Limit for the digests of one question: some minutes on two processors."""

MAX_SEARCHED = 8
"""Limit for the digests whose reset address is searched."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried.

    pages: number of AP pages with a known reset address.
    most: how many more vCPUs with each of them.
    searched: upper halves of reset addresses that were searched.
    most_searched: how many more vCPUs with each address below them.
    stopped: the search ended before its last address, because no two digests were left unrelated.
    """

    pages: int
    most: int
    searched: tuple[int, ...] = ()
    most_searched: int = 0
    stopped: bool = False

    def __str__(self) -> str:
        text = f"{self.pages} AP pages with known reset addresses, each for up to {self.most} more vCPUs"
        if self.searched:
            halves = " and ".join(f"from {half:#x} to {half + 0xFFFF:#x}" for half in self.searched)
            which = "reset addresses" if self.stopped else "every reset address"
            text += f"; and {which} {halves}, each for up to {self.most_searched} more vCPUs"
            text += ", until nothing was left to relate" if self.stopped else ""
        return text

    def to_dict(self) -> dict[str, Any]:
        """`tried` in the JSON of `ldcat relate`."""
        return {
            "ap_pages": self.pages,
            "reset_addresses": [f"{address:#x}" for address in known_reset_addresses()],
            "sev_features": [f"{features:#x}" for features in usual_features()],
            "more_vcpus": self.most,
            "searched": [{"from": f"{half:#x}", "to": f"{half + 0xFFFF:#x}"} for half in self.searched],
            "searched_more_vcpus": self.most_searched,
            "stopped": self.stopped,
        }


@dataclass(frozen=True, slots=True)
class Related:
    """The result of `relate`. unrelated: digests that are in no chain, in the order in which they were given."""

    chains: tuple[Chain, ...]
    unrelated: tuple[bytes, ...]
    tried: Tried

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `ldcat relate`."""
        return {
            "found": bool(self.chains),
            "chains": [chain.to_dict() for chain in self.chains],
            "unrelated": [digest.hex() for digest in self.unrelated],
            "tried": self.tried.to_dict(),
        }


def relate(
    digests: Sequence[LaunchDigest],
    *,
    most: int | None,
    upper_halves: Sequence[int],
    engine: Engine,
    backend: HashBackend,
    start_progress: StartProgress,
) -> Related:
    """Find the digests that differ by a number of vCPUs only.

    All known AP pages are tried; for up to 8 digests, of which two or more are then still unrelated, also the AP pages
    of every reset address below some upper halves.

    digests: each counts once.
    most: how many more vCPUs are tried; None for 511, and 64 with unknown reset addresses.
    upper_halves: of unknown reset addresses; empty for the usual ones.

    Raises UsageError for digests that are not SEV-SNP's, fewer than two or too many, and for numbers out of range.
    """
    values = _checked(digests)
    if most is not None and not 1 <= most < MAX_VCPUS:
        raise UsageError(f"{most} more vCPUs cannot be tried", f"give a number from 1 to {MAX_VCPUS - 1}")
    for half in upper_halves:
        if half & UPPER_HALF != half:
            raise UsageError(f"{half:#x} is not the upper half of a 32-bit address", "such as 0x800000")
    if upper_halves and len(values) > MAX_SEARCHED:
        raise UsageError(
            f"unknown reset addresses are searched for up to {MAX_SEARCHED} digests, not for {len(values)}",
            "give fewer digests, or no --reset-base",
        )
    pages, limit = list(known_pages()), most or MOST
    tried = Tried(len(pages), limit)
    progress = start_progress("extended", len(values) * len(pages) * limit)
    steps = steps_between(values, [page.tail for page in pages], limit, engine, backend, progress)
    left = _unrelated(values, steps)
    if len(values) <= MAX_SEARCHED and len(left) > 1:
        halves, most_searched = tuple(upper_halves or UPPER_HALVES), most or MOST_SEARCHED
        tried = Tried(len(pages), limit, halves, most_searched)
        progress = start_progress("extended", count_steps(halves, len(left), most_searched))
        for stage in search_stages(halves):
            for address in stage.addresses(left, most_searched, engine, backend, progress):
                found = ap_pages([address], usual_features())
                steps += steps_between(values, [page.tail for page in found], limit, engine, backend, _unseen)
                pages += found
            left = _unrelated(values, steps)
            if len(left) < 2:
                tried = replace(tried, stopped=True)
                break
    return Related(tuple(chains_of(steps, pages)), left, tried)


def _checked(digests: Sequence[LaunchDigest]) -> tuple[bytes, ...]:
    """Each digest once; raises UsageError as `relate`."""
    for digest in digests:
        if len(digest.value) != SNP_DIGEST_SIZE:
            raise UsageError(
                f"{short(digest.value)} is a launch digest of SEV or SEV-ES, which says nothing about others",
                "only an SEV-SNP digest, 48 bytes, is the state of a chain that can be continued",
            )
    values = tuple(dict.fromkeys(digest.value for digest in digests))
    if len(values) < 2:
        raise UsageError("fewer than two different launch digests are given", "give two or more")
    if len(values) > MAX_DIGESTS:
        raise UsageError(f"{len(values):,} launch digests are more than {MAX_DIGESTS:,}", "give fewer at a time")
    return values


def _unrelated(values: Sequence[bytes], steps: Sequence[Step]) -> tuple[bytes, ...]:
    related = {digest for step in steps for digest in (step.smaller, step.larger)}
    return tuple(value for value in values if value not in related)


def _unseen(_: int) -> None:
    """Progress of work that takes no time."""
