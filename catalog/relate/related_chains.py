"""Related chains: launch digests that differ by equal steps, grouped, and the words for what follows from that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from catalog.notes import Note
from catalog.relate.ap_pages import ApPage
from catalog.relate.equal_steps import Step

RESTS_ON = Note(
    "relation-shows-equal-firmware",
    "a relation shows that launches have the same firmware and metadata, but not which, nor that any was ever "
    "launched: whoever knows one digest can compute those with more vCPUs",
)
"""What a relation does not say."""


@dataclass(frozen=True, slots=True)
class Member:
    """A launch digest of a chain.

    digest: 48 bytes.
    more: vCPUs more than the smallest of the chain has.
    """

    digest: bytes
    more: int


@dataclass(frozen=True, slots=True)
class Chain:
    """Launch digests of one launch that differ in their number of vCPUs only, the smallest first."""

    page: ApPage
    members: tuple[Member, ...]

    def inferred(self) -> Iterator[str]:
        """For each member but the smallest a line: which one it is, with how many more vCPUs."""
        for before, after in zip(self.members, self.members[1:], strict=False):
            yield inference(after.digest, short(before.digest), after.more - before.more, self.page)

    def to_dict(self) -> dict[str, Any]:
        """An element of `chains` in the JSON of `ldcat relate`."""
        return {
            "ap_page": page_dict(self.page),
            "digests": [
                {"launch_digest": member.digest.hex(), "more_vcpus": member.more, "at_least_vcpus": member.more + 1}
                for member in self.members
            ],
        }


def page_dict(page: ApPage) -> dict[str, Any]:
    """An AP page in JSON: the SHA-384 of its contents, and everything that makes it."""
    return {"contents_sha384": page.tail[:48].hex(), "made_by": [origin.to_dict() for origin in page.origins]}


def inference(digest: bytes, of: str, more: int, page: ApPage) -> str:
    """What two digests say about each other.

    of: the other one, for people.
    more: how many vCPUs more `digest` has; negative: fewer.
    """
    return f"inferred: {short(digest)} is {of} with {more_vcpus(more)} (AP page of {page})"


def more_vcpus(more: int) -> str:
    """How many vCPUs more, or if negative fewer."""
    return count_vcpus(abs(more), "more " if more > 0 else "fewer ")


def count_vcpus(count: int, kind: str = "") -> str:
    """A number of vCPUs, such as `1 vCPU` or `2 more vCPUs`. kind: a word and a blank."""
    return f"{count} {kind}vCPU{'' if count == 1 else 's'}"


def short(digest: bytes) -> str:
    """The first 16 hex digits of a digest, which tell it from others for people."""
    return f"{digest.hex()[:16]}..."


def chains_of(steps: Iterable[Step], pages: Iterable[ApPage]) -> list[Chain]:
    """The chains of some steps, the longest first. Each step has to lead to the nearest digest of its chain.

    pages: with those of all steps.
    """
    by_tail = {page.tail: page for page in pages}
    after: dict[bytes, dict[bytes, Step]] = {}
    for step in steps:
        after.setdefault(step.tail, {})[step.smaller] = step
    chains = []
    for tail, following in after.items():
        reached = {step.larger for step in following.values()}
        for first in following.keys() - reached:
            members = [Member(first, 0)]
            while members[-1].digest in following:
                step = following[members[-1].digest]
                members.append(Member(step.larger, members[-1].more + step.more))
            chains.append(Chain(by_tail[tail], tuple(members)))
    return sorted(chains, key=lambda chain: (-len(chain.members), chain.members[0].digest, chain.page.tail))
