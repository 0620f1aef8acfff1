"""Candidates for a launch digest of which only the beginning is known, such as one that was cut off on a screen.

A candidate is no answer: who has half a digest does not know that the other half is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from itertools import islice
from typing import Any

from catalog.abi.digest import LaunchDigest
from catalog.ask.lookup import Lookups, digests_starting_with
from catalog.errors import MalformedInput
from catalog.fast.match import Match
from catalog.store.catalog import Catalog
from catalog.store.endorsements import short_name
from catalog.values import Value

FEWEST_DIGITS = 16
"""Hex digits of a prefix: fewer are those of many digests."""

MOST_CANDIDATES = 100
CANDIDATES = 14
"""Exit code of a lookup that found candidates only."""

_LONGEST = 96


class Candidate(Value):
    """A digest that begins with the prefix, its configurations, and who endorses it."""

    digest: LaunchDigest
    matches: tuple[Match, ...]
    endorsers: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The candidate in JSON."""
        matches = [match.to_dict() for match in self.matches]
        return {"launch_digest": self.digest.hex(), "matches": matches, "endorsers": list(self.endorsers)}


class Candidates(Value):
    """Digests that begin with a prefix, in order. has_more: there are more than MOST_CANDIDATES."""

    found: tuple[Candidate, ...]
    has_more: bool

    @property
    def exit_code(self) -> int:
        return CANDIDATES if self.found else 1


def parse_prefix(text: str) -> str:
    """A prefix in lower case; raises MalformedInput for fewer digits, more than a digest has, or anything else."""
    digits = text.strip().lower().removeprefix("0x")
    if not digits.isascii() or not digits.isalnum() or digits.strip("0123456789abcdef"):
        raise MalformedInput("a prefix has hex digits only")
    if not FEWEST_DIGITS <= len(digits) <= _LONGEST:
        raise MalformedInput(
            f"a prefix has {FEWEST_DIGITS} to {_LONGEST} hex digits, not {len(digits)}",
            "give more of the digest: it has 64 (SEV, SEV-ES) or 96 (SEV-SNP, TDX)",
        )
    return digits


def candidates(catalog: Catalog, prefix: str, *, warn: Callable[[str], None]) -> Candidates:
    """The digests of a catalog that begin with a prefix. prefix: as `parse_prefix` returns it.

    Raises UsageError for a catalog that is not local or keeps distinguished digests only, and as `Lookups.lookup`.
    """
    with closing(Lookups(catalog, warn)) as lookups:
        endorsed = {one.launch_digest for one in catalog.endorsements.records if one.launch_digest.startswith(prefix)}
        digests = sorted({*map(bytes.hex, digests_starting_with(catalog, prefix)), *endorsed})
        found = []
        for digest in islice(map(LaunchDigest.parse, digests), MOST_CANDIDATES):
            endorsers = dict.fromkeys(short_name(one) for one in catalog.endorsements.of(digest.value))
            found.append(Candidate(digest, lookups.lookup(digest), tuple(endorsers)))
        return Candidates(tuple(found), len(digests) > MOST_CANDIDATES)
