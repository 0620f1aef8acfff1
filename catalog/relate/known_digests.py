"""Known digests: relates one unknown launch digest to those that somebody catalogued or endorsed, in bounded work."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from catalog.launch.hashing.backends import PYTHON, HashBackend
from catalog.launch.point import MAX_VCPUS
from catalog.relate.ap_pages import ApPage, ap_pages, known_pages, known_reset_addresses, likely_pages, usual_features
from catalog.relate.equal_steps import equal_steps
from catalog.relate.related_chains import inference, page_dict, short

MOST = 511
"""How many more or fewer vCPUs are tried, if time allows."""

_LEAST = 64
"""How many more vCPUs are tried with each page at least."""

MAX_ADDRESSES = 8
"""Limit for reset addresses that are tried besides the known ones."""

_STEPS = {"avx512": 1_000_000, "avx2": 500_000, "portable": 250_000, PYTHON: 50_000}
"""Extensions of known digests in about a tenth of a second, by the implementation that hashes them."""


@dataclass(frozen=True, slots=True)
class KnownDigest:
    """A launch digest of which somebody says something.

    digest: 48 bytes.
    label: who says what, for people, such as `endorsed by ...`.
    vcpus: None if it is not known.
    vmm: the profile that launches it; None if it is not known.
    """

    digest: bytes
    label: str
    vcpus: int | None = None
    vmm: str | None = None


@dataclass(frozen=True, slots=True)
class KnownRelation:
    """An unknown launch digest is a known one with more vCPUs, or with fewer.

    more: vCPUs that the unknown one has more; negative: fewer.
    page: the AP page by which they differ.
    """

    known: KnownDigest
    more: int
    page: ApPage

    @property
    def vcpus(self) -> int | None:
        """vCPUs of the unknown digest; None if those of the known one are unknown, or cannot be true."""
        count = None if self.known.vcpus is None else self.known.vcpus + self.more
        return count if count is not None and 1 <= count <= MAX_VCPUS else None

    def text(self, digest: bytes) -> str:
        """One line for people. digest: the unknown one."""
        return inference(digest, f"{short(self.known.digest)}, {self.known.label},", self.more, self.page)

    def to_dict(self) -> dict[str, Any]:
        """An element of `related` in JSON."""
        return {
            "launch_digest": self.known.digest.hex(),
            "label": self.known.label,
            "more_vcpus": self.more,
            "vcpus": self.vcpus,
            "ap_page": page_dict(self.page),
        }


@dataclass(frozen=True, slots=True)
class KnownRelations:
    """The result of `relate_to_known`.

    relations: the nearest first.
    most: how many more vCPUs than the known digests have were tried; as many as 511 fewer always are.
    complete: every known digest was extended by every page; False if there were too many for the time, and only the
        likeliest pages were tried.
    """

    relations: tuple[KnownRelation, ...]
    most: int
    complete: bool


def pages_of(addresses: Collection[int]) -> tuple[tuple[ApPage, ...], tuple[ApPage, ...]]:
    """All AP pages that are tried, and the likely ones, which have the default sev_features.

    addresses: reset addresses besides the known ones, the likeliest first; those beyond MAX_ADDRESSES are left out.
    """
    features = usual_features()
    more = list(islice((one for one in dict.fromkeys(addresses) if one not in known_reset_addresses()), MAX_ADDRESSES))
    return (*known_pages(), *ap_pages(more, features)), (*likely_pages(), *ap_pages(more, features[:1]))


def relate_to_known(
    digest: bytes, known: Collection[KnownDigest], backend: HashBackend, addresses: Collection[int] = ()
) -> KnownRelations:
    """Whether an unknown launch digest is a known one with more vCPUs, or with fewer, by any known AP page.

    The work is bounded, whatever is known: about a quarter of a second on one processor.

    digest: 48 bytes.
    addresses: as for `pages_of`.
    """
    if not known:
        return KnownRelations((), 0, complete=True)
    every, likely = pages_of(addresses)
    pages = {page.tail: page for page in every}
    found = []
    for step in equal_steps([(digest, tail) for tail in pages], MOST, {one.digest for one in known}, backend):
        found += [KnownRelation(one, -step.more, pages[step.tail]) for one in known if one.digest == step.larger]
    budget = _STEPS[backend.sha384]
    usual = every if len(known) * len(pages) * MOST <= budget else likely
    chains = list(islice(_chains(known, usual), budget // _LEAST + 1))
    complete = len(usual) == len(pages) and len(chains) <= budget // _LEAST
    most = max(_LEAST, min(MOST, budget // len(chains)))
    for step in equal_steps(chains[: budget // most], most, {digest}, backend):
        found += [KnownRelation(one, step.more, pages[step.tail]) for one in known if one.digest == step.smaller]
    return KnownRelations(tuple(sorted(found, key=lambda one: abs(one.more))), most, complete)


def _chains(known: Collection[KnownDigest], pages: Sequence[ApPage]) -> Iterator[tuple[bytes, bytes]]:
    """Each known digest with the tail of each page that may extend it, the likeliest pages first."""
    for page in pages:
        vmms = {None, *(origin.vmm for origin in page.origins)}
        yield from dict.fromkeys((one.digest, page.tail) for one in known if one.vmm in vmms)
