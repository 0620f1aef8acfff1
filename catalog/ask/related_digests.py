"""Related digests: what an unknown SEV-SNP launch digest is, relative to the digests that a catalog knows.

A digest with n vCPUs is extended by the VMSA page of an AP to that with n + 1 (docs/relate.md). So the unknown digest
is compared with those that somebody published (endorsed, reported, bases), in both directions, and with rows that have
more vCPUs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from catalog.abi.digest import SNP_DIGEST_SIZE, LaunchDigest
from catalog.abi.vcpu import VcpuSignature
from catalog.ask.found_endorsements import known_digests
from catalog.ask.lookup import Lookups
from catalog.fast.match import Match
from catalog.launch.hashing.backends import HashBackend
from catalog.relate.ap_pages import TECHNOLOGY, ApPage, PageOrigin, pages_made_by
from catalog.relate.equal_steps import extended
from catalog.relate.known_digests import MOST, KnownDigest, KnownRelation, relate_to_known
from catalog.relate.related_chains import count_vcpus
from catalog.relate.relations import RelatedDigests
from catalog.store.catalog_axes import Axes, read_axes
from catalog.work.unlocked_property import cached_property

MOST_FEWER = 255
"""How many fewer vCPUs than a row are tried."""

MAX_PAGES = 1000
"""Limit for the AP pages of the rows of a catalog."""

PROBES = 10_000
"""How many digests are looked up in the index, approximately: each takes some microseconds."""


class Relating:
    """Searches related digests in a catalog. What does not depend on the digest is computed once, and kept."""

    def __init__(self, lookups: Lookups, backend: HashBackend) -> None:
        self._lookups = lookups
        self._catalog = lookups.catalog
        self._backend = backend

    def related(self, digest: bytes) -> RelatedDigests:
        """Whether an unknown SEV-SNP launch digest is a known one, or a row, with another number of vCPUs.

        The work is bounded: some tenths of a second on one processor, however large the catalog is.

        digest: 48 bytes. Raises VerificationFailed for a damaged catalog.
        """
        found = relate_to_known(digest, self._known, self._backend, self._addresses)
        relations, tried = [*found.relations], []
        if self._known:
            states = "" if found.complete else ", in the likeliest initial states only"
            digests = len({one.digest for one in self._known})
            known = f"{digests:,} published digest{'' if digests == 1 else 's'}"
            tried.append(f"{known} with up to {found.most} more or {MOST} fewer vCPUs{states}")
        if self._row_pages:
            fewer = max(1, min(MOST_FEWER, PROBES // len(self._row_pages)))
            relations += self._rows_with_more(digest, fewer)
            tried.append(f"rows of the catalog with up to {fewer} fewer vCPUs, and not with more")
        based = tuple(sorted(self._based.get(digest.hex(), ())))
        return RelatedDigests(tuple(_each_once(relations)), "; ".join(tried), based)

    @cached_property
    def _known(self) -> list[KnownDigest]:
        """Endorsed and reported digests, and the bases of a catalog whose files are on this machine."""
        found = known_digests(self._catalog.endorsements)
        said = {one.digest for one in found}
        for base in self._catalog.components.bases if self._lookups.quick else ():
            if base.digest not in said:
                label = f"the base {base.label}, for {count_vcpus(base.vcpus)}"
                found.append(KnownDigest(base.digest, label, base.vcpus, base.vmm))
        return found

    @cached_property
    def _addresses(self) -> list[int]:
        """Reset addresses of the builds of a catalog whose files are on this machine, the most frequent first."""
        builds = self._catalog.builds.values() if self._lookups.quick else ()
        found = Counter(build.component.reset_vector for build in builds)
        return [address for address, _ in found.most_common() if address]

    @cached_property
    def _axes(self) -> Sequence[Axes]:
        """The blocks of rows; none if a lookup is not quick."""
        return read_axes(self._catalog, [TECHNOLOGY]) if self._lookups.quick else ()

    @cached_property
    def _based(self) -> Mapping[str, set[int]]:
        """vCPUs of the rows that follow from a base, by its digest in hex."""
        found: dict[str, set[int]] = {}
        for one in self._axes:
            if one.is_base:
                found.setdefault(one.identity, set()).update(one.counts)
        return found

    @cached_property
    def firmware_of(self) -> tuple[str, ...]:
        """Who published the builds of a catalog whose files are on this machine: distributions and platforms."""
        builds = self._catalog.builds.values() if self._lookups.quick else ()
        named = {build.origin.distribution for build in builds if build.origin}
        return tuple(sorted(name for name in named if name))

    @cached_property
    def _row_pages(self) -> list[ApPage]:
        """The AP pages of the rows."""
        origins = dict.fromkeys(origin for one in self._axes for origin in self._origins(one))
        return list(islice(pages_made_by(origins, self._catalog.profiles), MAX_PAGES))

    def _origins(self, axes: Axes) -> Iterator[PageOrigin]:
        """What makes the AP pages of a block of rows."""
        profile, address = self._catalog.profiles.get(axes.vmm or ""), self._reset_vectors.get(axes.identity)
        if profile is None or profile.snp is None or address is None:
            return
        for features in axes.features:
            for signature in axes.signatures if profile.measures_signature else [None]:
                yield PageOrigin(
                    profile.name, None if signature is None else VcpuSignature(signature), features, address
                )

    @cached_property
    def _reset_vectors(self) -> dict[str, int | None]:
        images = {build.component.key.hex(): build.component.reset_vector for build in self._catalog.builds.values()}
        return images | {base.digest.hex(): base.reset_vector for base in self._catalog.components.bases}

    def _rows_with_more(self, digest: bytes, fewer: int) -> Iterator[KnownRelation]:
        """For each AP page the nearest row that is the digest with more vCPUs, but was not made from it.

        fewer: how many more vCPUs are tried.
        """
        digests = memoryview(extended([(digest, page.tail) for page in self._row_pages], fewer, self._backend))
        for number, page in enumerate(self._row_pages):
            for more in range(1, fewer + 1):
                at = SNP_DIGEST_SIZE * (fewer * number + more - 1)
                larger = bytes(digests[at : at + SNP_DIGEST_SIZE])
                if self._lookups.lists(larger):
                    for row in self._lookups.lookup(LaunchDigest(larger)):
                        if row.row["base_digest"] != digest:
                            yield KnownRelation(KnownDigest(larger, _label(row), row.vcpus, row.vmm), -more, page)
                    break


def _each_once(relations: Iterable[KnownRelation]) -> Iterator[KnownRelation]:
    """The relations, the nearest first, with all that is said of a digest in one label."""
    by_digest: dict[bytes, list[KnownRelation]] = {}
    for one in sorted(relations, key=lambda one: abs(one.more)):
        by_digest.setdefault(one.known.digest, []).append(one)
    for digest, (nearest, *others) in by_digest.items():
        every = [nearest.known, *(one.known for one in others)]
        counts = {one.vcpus for one in every if one.vcpus is not None}
        label = "; ".join(dict.fromkeys(one.label for one in every))
        vcpus = counts.pop() if len(counts) == 1 else None
        yield replace(nearest, known=KnownDigest(digest, label, vcpus, nearest.known.vmm))


def _label(row: Match) -> str:
    """What a row says about its digest."""
    names = [row.base["name"]] if row.base else [row.firmware["name"]]
    if row.kernel_hashes:
        names.append(row.kernel_hashes["name"])
    return f"catalogued as {', '.join([*names, row.vmm])} with {count_vcpus(row.vcpus)}"
