"""Related digests: what an unknown SEV-SNP launch digest is, relative to the digests that a catalog knows.

A digest with n vCPUs is extended by the VMSA page of an AP to that with n + 1 (docs/relate.md). So the unknown digest
is compared with those that are endorsed or reported, in both directions, and with rows that have more vCPUs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from catalog.abi.digest import SNP_DIGEST_SIZE, LaunchDigest
from catalog.ask.lookup import Lookups
from catalog.fast.match import Match
from catalog.launch.hashing.backends import HashBackend
from catalog.relate.ap_pages import ApPage
from catalog.relate.equal_steps import extended
from catalog.relate.known_digests import MOST, KnownDigest, KnownRelation, pages_of, relate_to_known

MOST_FEWER = 64
"""How many fewer vCPUs than a row are tried."""

MANY_ROWS = 1 << 20
"""Rows of a catalog from which on only likely AP pages are tried: each probe reads another block of its index."""


@dataclass(frozen=True, slots=True)
class RelatedDigests:
    """The result of `related_digests`.

    relations: the nearest first.
    tried: one line for people.
    """

    relations: tuple[KnownRelation, ...] = ()
    tried: str = ""


NOT_RELATED = RelatedDigests()
"""Nothing was searched."""


def related_digests(
    digest: bytes, known: Collection[KnownDigest], lookups: Lookups, backend: HashBackend
) -> RelatedDigests:
    """Whether an unknown SEV-SNP launch digest is a known one, or a row, with another number of vCPUs.

    The work is bounded: less than half a second on one processor, however large the catalog is.

    known: endorsed and reported digests.
    """
    addresses = _reset_addresses(lookups)
    found = relate_to_known(digest, known, backend, addresses)
    tried = []
    if known:
        pages = "" if found.complete else ", the likeliest AP pages only"
        tried.append(
            f"{len(known):,} endorsed or reported digests (up to {found.most} more or {MOST} fewer vCPUs{pages})"
        )
    relations = found.relations
    if lookups.quick:
        every, likely = pages_of(addresses)
        few = lookups.catalog.manifest.rows < MANY_ROWS
        relations += tuple(_rows_with_more(digest, every if few else likely, lookups, backend))
        tried.append(f"rows of the catalog (up to {MOST_FEWER} fewer vCPUs)")
    nearest = sorted(relations, key=lambda one: abs(one.more))
    return RelatedDigests(tuple(nearest), " and ".join(tried))


def _rows_with_more(
    digest: bytes, pages: Sequence[ApPage], lookups: Lookups, backend: HashBackend
) -> Iterator[KnownRelation]:
    """For each AP page the nearest row that is the digest with more vCPUs."""
    digests = memoryview(extended([(digest, page.tail) for page in pages], MOST_FEWER, backend))
    for number, page in enumerate(pages):
        for fewer in range(1, MOST_FEWER + 1):
            at = SNP_DIGEST_SIZE * (MOST_FEWER * number + fewer - 1)
            larger = bytes(digests[at : at + SNP_DIGEST_SIZE])
            if lookups.lists(larger):
                for row in lookups.lookup(LaunchDigest(larger)):
                    yield KnownRelation(KnownDigest(larger, _label(row), row.vcpus, row.vmm), -fewer, page)
                break


def _label(row: Match) -> str:
    """What a row says about its digest."""
    names = [row.base["name"]] if row.inferred else [row.firmware["name"]]
    if row.kernel_hashes:
        names.append(row.kernel_hashes["name"])
    return f"catalogued as {', '.join([*names, row.vmm])} with {row.vcpus} {'vCPU' if row.vcpus == 1 else 'vCPUs'}"


def _reset_addresses(lookups: Lookups) -> list[int]:
    """Reset addresses of the builds of a catalog whose files are on this machine, the most frequent first."""
    if not lookups.quick:
        return []
    addresses = (build.component.reset_vector for build in lookups.catalog.builds.values())
    return [address for address, _ in Counter(one for one in addresses if one).most_common()]
